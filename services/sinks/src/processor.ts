// How does a batch of scores get into the database, and what becomes of those it refuses?
import type { ChurnScore } from '@churnstream/schemas'
import {
  TransientError,
  deadLetter,
  emit,
  failpoint,
  messageOf,
  type Health,
  type Outcome,
  type Processor,
} from '@churnstream/runtime'
import { insertScores, toColumns, type ScoreRow } from './core/columns.ts'
import { RowRefused, type Session } from './database.ts'
import type { SinkMetrics } from './metrics.ts'

/** Rows in one statement at most. */
const maxRows = 1_000

/**
 * The rows are written before the offset moves, so a crash in between writes them again: the key
 * makes that a no-op.
 */
export function createSinkProcessor(
  database: Session,
  metrics: SinkMetrics,
  health: Health,
): Processor<ChurnScore> {
  return {
    async process(partition, records) {
      const outcomes: Outcome[] = []
      for (let start = 0; start < records.length; start += maxRows) {
        const rows = records
          .slice(start, start + maxRows)
          .map(({ value, offset, trace }): ScoreRow => ({
            score: value,
            partition,
            offset,
            traceId: trace?.traceId ?? null,
          }))
        const end = metrics.batchSeconds.startTimer()
        for (const outcome of await watched(() => store(rows))) outcomes.push(outcome)
        failpoint('after-database-commit')
        end()
      }
      return outcomes
    },
  }

  async function watched<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      health.ready('database')
      return result
    } catch (error) {
      if (error instanceof TransientError) health.waitFor('database', messageOf(error))
      throw error
    }
  }

  /** A refused batch is halved until each refused row stands alone: few statements for few of them. */
  async function store(rows: readonly ScoreRow[]): Promise<Outcome[]> {
    try {
      const { count } = await database.query(insertScores, toColumns(rows))
      metrics.rows.inc({ result: 'stored' }, count)
      metrics.rows.inc({ result: 'already-there' }, rows.length - count)
      return rows.map(() => emit([]))
    } catch (error) {
      if (!(error instanceof RowRefused)) throw error
      if (rows.length === 1) {
        metrics.rows.inc({ result: 'refused' })
        return [deadLetter('refused-by-database', error.message)]
      }
      const middle = rows.length >> 1
      const first = await store(rows.slice(0, middle))
      return [...first, ...(await store(rows.slice(middle)))]
    }
  }
}
