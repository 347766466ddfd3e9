// npm run replay -- vectors: which features has every player as of an instant?
import { PartitionState } from '@churnstream/features'
import { openRowWriter, type OutputColumn, type Written } from '@churnstream/batch'
import { catalogue } from '@churnstream/schemas'
import type { VectorsArguments } from './arguments.ts'
import type { World } from './connect.ts'
import { emptyFolded, fold, type Folded } from './core/step.ts'
import { openSource } from './open-source.ts'
import { stepsBefore, type Left } from './source.ts'

const dayMs = 86_400_000

export interface VectorsSummary extends Written {
  readonly target: string
  readonly asOf: string
  readonly folded: Folded
  /** Known players who had been silent for too long. */
  readonly silent: number
  /** Players of other markets. */
  readonly elsewhere: number
  readonly left: Left
  readonly seconds: number
  readonly recordsPerSecond: number
}

/** market is one of the features. */
export const vectorColumns: readonly OutputColumn[] = [
  { name: 'player_id', type: 'text' },
  { name: 'as_of', type: 'instant' },
  ...catalogue.map(({ name, type }): OutputColumn => ({
    name,
    type: type === 'double' ? 'double' : 'text',
  })),
]

const rowsPerWrite = 2_000

/**
 * One row for each player, by partition and then by id: the same activity gives the same bytes.
 * @throws FatalError @throws TransientError
 */
export async function replayVectors(
  asked: VectorsArguments,
  { connection, signal, onProgress }: World,
): Promise<VectorsSummary> {
  const { asOf, market, maxSilenceDays, target } = asked
  await using source = await openSource({
    asked,
    connection,
    fromAt: asOf,
    untilAt: asOf,
    rejectsTarget: `${target}.rejects.jsonl`,
    onProgress,
  })
  const startedAt = performance.now()
  const folded = emptyFolded()
  const seenSinceAt = asOf - maxSilenceDays * dayMs
  let [silent, elsewhere] = [0, 0]
  await using writer = await openRowWriter(target, vectorColumns, connection.installation)
  for (let partition = 0; partition < source.partitions; partition++) {
    const state = new PartitionState()
    for await (const steps of stepsBefore(asOf, source.read(partition))) {
      signal.throwIfAborted()
      for (const step of steps) fold(state, step, folded)
    }
    let rows: (string | number | null)[][] = []
    let seen = 0
    for (const { playerId, features } of state.looksAt(asOf, seenSinceAt)) {
      seen++
      if (market !== undefined && features.market !== market) {
        elsewhere++
        continue
      }
      rows.push([playerId, asOf, ...catalogue.map(({ name }) => features[name])])
      if (rows.length < rowsPerWrite) continue
      await writer.write(rows)
      rows = []
    }
    await writer.write(rows)
    silent += state.size - seen
    onProgress(
      `partition ${partition} (of 0 to ${source.partitions - 1}): ${writer.rows} players so far`,
    )
  }
  const written = await writer.finish()
  const seconds = (performance.now() - startedAt) / 1000
  return {
    ...written,
    target,
    asOf: new Date(asOf).toISOString(),
    folded,
    silent,
    elsewhere,
    left: source.left,
    seconds: Math.round(seconds * 10) / 10,
    recordsPerSecond: Math.round(folded.records / seconds),
  }
}
