// npm run replay -- labels: which rows can a model learn from?
import { attemptFile, openScratch } from '@churnstream/batch'
import { basename, join } from 'node:path'
import type { LabelsArguments } from './arguments.ts'
import type { World } from './connect.ts'
import { openSource } from './open-source.ts'
import { stepsBefore, type Left } from './source.ts'
import { buildTrainingSet, type TrainingSet } from './training-set.ts'

export interface LabelsSummary extends TrainingSet {
  readonly target: string
  readonly until: string
  readonly left: Left
  readonly seconds: number
  readonly recordsPerSecond: number
}

/** @throws FatalError @throws TransientError */
export async function replayLabels(
  asked: LabelsArguments,
  { connection, signal, onProgress }: World,
): Promise<LabelsSummary> {
  const { target, untilAt, fromAt, market, share, seed } = asked
  await using source = await openSource({
    asked,
    connection,
    fromAt: fromAt ?? -Infinity,
    untilAt,
    rejectsTarget: `${target}.rejects.jsonl`,
    onProgress,
  })
  await using scratch = target.startsWith('s3://') ? await openScratch() : undefined
  const file = scratch === undefined ? target : join(scratch.path, basename(target))
  const startedAt = performance.now()
  const { playersPerClock } = source
  const partitions = function* () {
    for (let partition = 0; partition < source.partitions; partition++) {
      signal.throwIfAborted()
      onProgress(`partition ${partition} (of 0 to ${source.partitions - 1})`)
      yield stepsBefore(untilAt, source.read(partition))
    }
  }
  const built = await attemptFile(`writing ${file}`, () =>
    buildTrainingSet({
      file,
      partitions: partitions(),
      playersPerClock,
      market,
      fromAt,
      share,
      seed,
    }),
  )
  if (scratch !== undefined) await connection.installation.objects().upload(file, target)
  const seconds = (performance.now() - startedAt) / 1000
  return {
    ...built,
    target,
    until: new Date(untilAt).toISOString(),
    left: source.left,
    seconds: Math.round(seconds * 10) / 10,
    recordsPerSecond: Math.round(built.folded.records / seconds),
  }
}
