// npm run replay -- scores: what did, or would have, a version say of a range of time?
import { openPinnedVectorModel, type Published } from '@churnstream/batch'
import { backfillScores, clusterTopics } from '@churnstream/topology'
import type { ScoresArguments } from './arguments.ts'
import { backfill, type Target } from './backfill.ts'
import type { Connection, World } from './connect.ts'
import type { PartitionCounts } from './core/counts.ts'
import type { Plan } from './core/plan.ts'
import { beginInFolder, openFileTarget } from './file-target.ts'
import { openFolder, type Folder } from './folder.ts'
import { openSource } from './open-source.ts'
import { publishScores } from './publish.ts'
import type { Left, Source } from './source.ts'
import { beginInTopic, openTopicTarget } from './topic-target.ts'
import { checkTopic, openTopicSource } from './topic-source.ts'

export interface ScoresSummary {
  readonly id: string
  readonly model: { readonly name: string; readonly version: string; readonly uri: string }
  readonly source: Plan['source']
  readonly target: string
  readonly from: string
  readonly to: string
  readonly left: Left
  readonly total: PartitionCounts
  readonly partitions: readonly PartitionCounts[]
  /** Of this run: less when an earlier one has done a part. */
  readonly foldedNow: number
  readonly scoredNow: number
  readonly seconds: number
  readonly recordsPerSecond: number
  readonly published?: Published & { readonly superseded: number }
}

/** @throws FatalError @throws TransientError */
export async function replayScores(
  asked: ScoresArguments,
  { connection, signal, onProgress }: World,
): Promise<ScoresSummary> {
  const { id, fromAt, toAt, publish: slot } = asked
  const { installation } = connection
  await using model = await openPinnedVectorModel(asked.model, installation)
  // Asked for before the long work, so that it is not in vain.
  const database = slot === undefined ? undefined : installation.database()
  const folder = asked.target === 'topic' ? undefined : await openFolder(asked.target, installation)
  await using noted = await openSource({
    asked,
    connection,
    fromAt,
    untilAt: toAt,
    rejectsTarget: folder?.locate('_rejects.jsonl') ?? `${id}.rejects.jsonl`,
    onProgress,
  })
  const { plan, target } = await begin(connection, folder, {
    id,
    fromAt,
    toAt,
    market: asked.market ?? null,
    modelName: model.name,
    modelVersion: model.version,
    source: noted.plan,
  })
  const source = await sourceOf(connection, plan, noted)
  const startedAt = performance.now()
  const done = await backfill({ plan, source, model, target, signal, onProgress })
  const seconds = (performance.now() - startedAt) / 1000
  await model.confirm()
  const published =
    database === undefined || slot === undefined
      ? {}
      : { published: await publishScores({ database, slot, plan, target, ...done }) }
  return {
    id,
    model: { name: model.name, version: model.version, uri: model.uri },
    source: plan.source,
    target: asked.target,
    from: new Date(fromAt).toISOString(),
    to: new Date(toAt).toISOString(),
    left: noted.left,
    ...done,
    seconds: Math.round(seconds * 10) / 10,
    recordsPerSecond: Math.round(done.foldedNow / seconds),
    ...published,
  }
}

async function begin(
  connection: Connection,
  folder: Folder | undefined,
  plan: Plan,
): Promise<{ readonly plan: Plan; readonly target: Target }> {
  if (folder !== undefined) {
    const begun = await beginInFolder(folder, plan)
    const { installation } = connection
    return { plan: begun, target: openFileTarget({ folder, plan: begun, installation }) }
  }
  const { kafka, schemas } = connection.cluster()
  await kafka.ensureTopics(clusterTopics().filter(({ name }) => name === backfillScores.name))
  const encoder = await schemas.encoderOf(backfillScores)
  const begun = await beginInTopic(kafka, plan)
  return { plan: begun.plan, target: openTopicTarget({ kafka, schemas, encoder, begun }) }
}

/** What the run was begun with may end earlier than what is there now. */
async function sourceOf(connection: Connection, plan: Plan, noted: Source): Promise<Source> {
  if (plan.source.kind === 'files') return noted
  const { kafka, schemas } = connection.cluster()
  await checkTopic(kafka, plan.source)
  return openTopicSource(kafka, schemas, plan.source)
}
