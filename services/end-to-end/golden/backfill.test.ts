// Does a backfill of the recorded activity give the scores that the stream gave, to the bit?
import { openInstallation, openPinnedVectorModel } from '@churnstream/batch'
import {
  backfill,
  beginInTopic,
  noteTopic,
  openTopicSource,
  openTopicTarget,
} from '@churnstream/replay'
import type { ConsumedRecord } from '@churnstream/runtime'
import { MemoryCluster, readAll } from '@churnstream/runtime/testing'
import {
  DecodeProblem,
  Decoder,
  Encoder,
  type ChurnScore,
  type Schemas,
} from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { backfillScores, clusterTopics, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inputFile, modelFolder } from './files.ts'
import { readRecording } from './recording.ts'
import { replay } from './replay.ts'

const scoreId = 104
const recording = readRecording(inputFile, topics.playerActivity.name)
const schemas = fixedSchemas({
  [scoreId]: 'churn-score',
  [recording.schemaId]: { text: recording.schema },
}) as Schemas

test('golden backfill - a range has the scores of the stream, by cause, and no other', async () => {
  const streamed = await replay(recording, modelFolder, { recordsPerSend: 5_000 })
  const all = await decoded((streamed.get(topics.churnScores.name) ?? []).flat())
  const instants = all.map(({ asOf }) => asOf).sort((a, b) => a - b)
  const fromAt = instants[Math.floor(all.length * 0.4)] as number
  const toAt = instants[Math.floor(all.length * 0.9)] as number
  const expected = all.filter(({ asOf }) => asOf >= fromAt && asOf < toAt)
  assert.ok(expected.length > 500, String(expected.length))
  assert.ok(expected.some(({ trigger }) => trigger === 'clock'))

  const kafka = new MemoryCluster().open()
  await kafka.ensureTopics(clusterTopics())
  await (await kafka.openProducer()).send(recording.records)
  await using installation = openInstallation({}, join(tmpdir(), 'no-demo'))
  await using model = await openPinnedVectorModel(modelFolder, installation)
  const begun = await beginInTopic(kafka, {
    id: 'golden',
    fromAt,
    toAt,
    market: null,
    modelName: model.name,
    modelVersion: model.version,
    source: await noteTopic(kafka),
  })
  assert.ok(begun.plan.source.kind === 'topic')
  const { total } = await backfill({
    plan: begun.plan,
    source: openTopicSource(kafka, schemas, begun.plan.source),
    model,
    target: openTopicTarget({
      kafka,
      schemas,
      encoder: new Encoder('churn-score', scoreId),
      begun,
    }),
    signal: new AbortController().signal,
    onProgress: () => undefined,
  })
  const records: ConsumedRecord[] = []
  for (let partition = 0; partition < backfillScores.partitions; partition++) {
    records.push(...(await readAll(kafka, backfillScores.name, partition)))
  }
  const found = await decoded(records.filter(({ value }) => value !== null))
  assert.equal(total.scores, expected.length)
  assert.deepEqual(found.map(comparable).sort(), expected.map(comparable).sort())
  // The recording holds poison and repeated ids; the stream set them aside and skipped them.
  assert.ok(Object.keys(total.poison).length >= 3, JSON.stringify(total.poison))
  assert.ok(total.duplicates > 50, String(total.duplicates))
})

async function decoded(records: readonly ConsumedRecord[]): Promise<ChurnScore[]> {
  const decoder = new Decoder('churn-score')
  await schemas.prepare(
    decoder,
    records.map(({ value }) => value),
  )
  return records.map(({ value }) => {
    const score = decoder.decode(value)
    assert.ok(!(score instanceof DecodeProblem))
    return score
  })
}

/** All but where the vector stands and by which name the model came. */
function comparable(score: ChurnScore): string {
  const { modelName, modelVersion, modelEpoch, vectorPartition, vectorOffset, ...same } = score
  void [modelName, modelVersion, modelEpoch, vectorPartition, vectorOffset]
  return JSON.stringify(same)
}
