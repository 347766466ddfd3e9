// How does a batch of scores get into the database, and when is it seen?
import { FatalError } from '@churnstream/runtime'
import { migrate, readMigrations, type Database, type Session } from '@churnstream/sinks'
import { createHash } from 'node:crypto'
import type { ScoreRow } from './core/score-row.ts'

/** What makes a batch the same batch. */
export interface BatchIdentity {
  /** What the batch is for, e.g. weekly/us-nj/2026-11-16. */
  readonly slot: string
  readonly modelName: string
  readonly modelVersion: string
  /** Of the input, in hex. */
  readonly inputSha256: string
  /** Whatever else the rows depend on. */
  readonly settings?: Readonly<Record<string, string | number>>
}

export interface Batch extends BatchIdentity {
  readonly rowsIn: number
  readonly scored: number
  readonly rejected: number
}

export interface Loaded {
  readonly batchId: string
  /** Written now; less than scored when an earlier attempt had written some. */
  readonly written: number
  /** It was loaded before, and nothing was done. */
  readonly wasLoaded: boolean
}

export interface Published {
  readonly slot: string
  readonly batchId: string
  /** What the slot showed before. */
  readonly previousBatchId: string | null
  readonly rows: number
}

/** The same slot, model, input and settings give the same id. */
export function batchIdOf(identity: BatchIdentity): string {
  const { slot, modelName, modelVersion, inputSha256, settings = {} } = identity
  const named = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify([slot, modelName, modelVersion, inputSha256, named])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Rows in one statement at most. */
const maxRows = 5_000

/** Ours; the sinks, whose database it may be too, keep their own. */
const migrationsTable = 'batch_migrations'

/** Applies what is missing of our tables. @throws TransientError @throws FatalError */
export async function prepareBatches(database: Database): Promise<void> {
  const folder = new URL('../migrations/', import.meta.url)
  await migrate(database, readMigrations(folder), migrationsTable)
}

const names =
  'batch_id, player_id, as_of, market, score, band, model_name, model_version, source, row_number'
// Milliseconds become a timestamp in the database, which refuses what it cannot hold.
const insertRows =
  `INSERT INTO batch_scores (${names}) ` +
  `SELECT $1, player_id, timestamptz 'epoch' + as_of * interval '1 millisecond', market, score, ` +
  'band, model_name, model_version, source, row_number ' +
  'FROM unnest($2::text[], $3::bigint[], $4::text[], $5::double precision[], $6::text[], ' +
  '$7::text[], $8::text[], $9::text[], $10::bigint[]) ' +
  'AS row (player_id, as_of, market, score, band, model_name, model_version, source, row_number) ' +
  'ON CONFLICT DO NOTHING'

/**
 * Writes the rows of a batch, which nobody sees before it is published. Loading it again writes
 * nothing twice; after a crash it writes what is missing.
 * @throws FatalError when the rows are not as many as the batch says
 * @throws TransientError when the database is away
 */
export async function loadBatch(
  database: Database,
  batch: Batch,
  rows: AsyncIterable<readonly ScoreRow[]>,
): Promise<Loaded> {
  await prepareBatches(database)
  const batchId = batchIdOf(batch)
  if (await begin(database, batchId, batch)) return { batchId, written: 0, wasLoaded: true }
  let given = 0
  let written = 0
  for await (const part of rows) {
    for (let start = 0; start < part.length; start += maxRows) {
      const some = part.slice(start, start + maxRows)
      given += some.length
      written += (await database.query(insertRows, [batchId, ...toArrays(some)])).count
    }
  }
  if (given !== batch.scored) {
    throw new FatalError(`batch ${batchId} has ${given} rows and says ${batch.scored}`)
  }
  await database.transaction(async (session) => {
    const stored = await countRows(session, batchId)
    if (stored !== given) {
      throw new FatalError(
        `batch ${batchId} has ${stored} rows in the database where ${given} were loaded: either ` +
          'a player stands twice for the same as_of, or other rows were there before',
      )
    }
    await session.query(
      `UPDATE batches SET status = 'loaded', loaded_at = now() ` +
        `WHERE batch_id = $1 AND status = 'loading'`,
      [batchId],
    )
  })
  return { batchId, written, wasLoaded: false }
}

/** True when the batch was loaded before. */
async function begin(database: Database, batchId: string, batch: Batch): Promise<boolean> {
  const { slot, modelName, modelVersion, inputSha256, rowsIn, scored, rejected } = batch
  await database.query(
    'INSERT INTO batches (batch_id, slot, model_name, model_version, input_sha256, rows_in, ' +
      `scored, rejected, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'loading') ` +
      'ON CONFLICT DO NOTHING',
    [batchId, slot, modelName, modelVersion, inputSha256, rowsIn, scored, rejected],
  )
  const found = await findBatch(database, batchId)
  if (found === undefined) throw new Error(`batch ${batchId} is not where it was written`)
  if (found.scored !== scored || found.rejected !== rejected || found.rowsIn !== rowsIn) {
    throw new FatalError(
      `batch ${batchId} was begun with ${found.scored} of ${found.rowsIn} rows scored and has ` +
        `${scored} of ${rowsIn} now: the same input is read in another way; use another slot`,
    )
  }
  return found.status === 'loaded'
}

/**
 * Lets the slot of a loaded batch show it, in one step for every reader. Publishing the batch before
 * again is the way back.
 * @throws FatalError when it is not there, not loaded or not whole @throws TransientError
 */
export async function publishBatch(database: Database, batchId: string): Promise<Published> {
  await prepareBatches(database)
  return database.transaction(async (session) => {
    const batch = await findBatch(session, batchId)
    if (batch === undefined) throw new FatalError(`there is no batch ${batchId}`)
    if (batch.status !== 'loaded') {
      throw new FatalError(
        `batch ${batchId} for ${batch.slot} is not loaded to the end: run its command again`,
      )
    }
    const rows = await countRows(session, batchId)
    if (rows !== batch.scored) {
      throw new FatalError(
        `batch ${batchId} for ${batch.slot} says ${batch.scored} rows and has ${rows}`,
      )
    }
    const { slot } = batch
    // One after the other: each is told what it replaced.
    await session.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [slot])
    const before = await session.query('SELECT batch_id FROM published_batches WHERE slot = $1', [
      slot,
    ])
    await session.query(
      'INSERT INTO published_batches (slot, batch_id) VALUES ($1, $2) ' +
        'ON CONFLICT (slot) DO UPDATE SET batch_id = excluded.batch_id, published_at = now()',
      [slot, batchId],
    )
    const previousBatchId = (before.rows[0]?.['batch_id'] as string | undefined) ?? null
    return { slot, batchId, previousBatchId, rows }
  })
}

interface Stored extends Pick<Batch, 'slot' | 'rowsIn' | 'scored' | 'rejected'> {
  readonly status: 'loading' | 'loaded'
}

async function findBatch(session: Session, batchId: string): Promise<Stored | undefined> {
  const { rows } = await session.query(
    'SELECT slot, status, rows_in, scored, rejected FROM batches WHERE batch_id = $1',
    [batchId],
  )
  const [row] = rows
  if (row === undefined) return undefined
  return {
    slot: row['slot'] as string,
    status: row['status'] as Stored['status'],
    rowsIn: Number(row['rows_in']),
    scored: Number(row['scored']),
    rejected: Number(row['rejected']),
  }
}

async function countRows(session: Session, batchId: string): Promise<number> {
  const { rows } = await session.query(
    'SELECT count(*) AS rows FROM batch_scores WHERE batch_id = $1',
    [batchId],
  )
  return Number(rows[0]?.['rows'])
}

const toArrays = (rows: readonly ScoreRow[]): unknown[] => [
  rows.map(({ playerId }) => playerId),
  rows.map(({ asOf }) => asOf),
  rows.map(({ market }) => market),
  rows.map(({ score }) => score),
  rows.map(({ band }) => band),
  rows.map(({ modelName }) => modelName),
  rows.map(({ modelVersion }) => modelVersion),
  rows.map(({ source }) => source),
  rows.map(({ row }) => row),
]
