// How do scores become the columns of one insert?
import type { ChurnScore } from '@churnstream/schemas'

export interface ScoreRow {
  readonly score: ChurnScore
  /** Where in the topic of scores the record stands. */
  readonly partition: number
  readonly offset: bigint
  /** Of the sampled request that the score comes from. */
  readonly traceId: string | null
}

type Cell = string | number | null

/** In the order of the arrays that `unnest` gets. */
const columns: readonly {
  readonly name: string
  readonly type: string
  readonly of: (row: ScoreRow) => Cell
}[] = [
  { name: 'player_id', type: 'text', of: ({ score }) => score.playerId },
  { name: 'market', type: 'text', of: ({ score }) => score.market },
  { name: 'as_of', type: 'bigint', of: ({ score }) => score.asOf },
  { name: 'score', type: 'double precision', of: ({ score }) => score.score },
  { name: 'band', type: 'text', of: ({ score }) => score.band },
  { name: 'model_name', type: 'text', of: ({ score }) => score.modelName },
  { name: 'model_version', type: 'text', of: ({ score }) => score.modelVersion },
  { name: 'model_epoch', type: 'bigint', of: ({ score }) => score.modelEpoch },
  { name: 'trigger', type: 'text', of: ({ score }) => score.trigger },
  { name: 'cause_event_id', type: 'text', of: ({ score }) => score.causeEventId },
  { name: 'cause_topic', type: 'text', of: ({ score }) => score.causeTopic },
  { name: 'cause_partition', type: 'integer', of: ({ score }) => score.causePartition },
  { name: 'cause_offset', type: 'bigint', of: ({ score }) => score.causeOffset },
  { name: 'vector_partition', type: 'integer', of: ({ score }) => score.vectorPartition },
  { name: 'vector_offset', type: 'bigint', of: ({ score }) => score.vectorOffset },
  { name: 'score_partition', type: 'integer', of: ({ partition }) => partition },
  { name: 'score_offset', type: 'bigint', of: ({ offset }) => String(offset) },
  { name: 'trace_id', type: 'text', of: ({ traceId }) => traceId },
]

const names = columns.map(({ name }) => name).join(', ')
const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ')
// Milliseconds become a timestamp in the database, which refuses what it cannot hold.
const values = columns
  .map(({ name }) =>
    name === 'as_of' ? `timestamptz 'epoch' + as_of * interval '1 millisecond'` : name,
  )
  .join(', ')

/** One statement for any number of rows; rows that are already there stay as they are. */
export const insertScores =
  `INSERT INTO score_history (${names}) SELECT ${values} FROM unnest(${arrays}) AS row (${names}) ` +
  'ON CONFLICT DO NOTHING'

export function toColumns(rows: readonly ScoreRow[]): Cell[][] {
  return columns.map(({ of }) => rows.map(of))
}
