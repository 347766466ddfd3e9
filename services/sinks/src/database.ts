// How does PostgreSQL answer our statements, and what does each of its errors mean?
import { FatalError, TransientError, messageOf, type Log } from '@churnstream/runtime'
import { createRequire } from 'node:module'
import { troubleOf } from './core/trouble.ts'

export interface Answer {
  readonly rows: readonly Record<string, unknown>[]
  /** Rows written, where the statement writes. */
  readonly count: number
}

export interface Session {
  /** @throws RowRefused, TransientError or FatalError */
  query(statement: string, values?: readonly unknown[]): Promise<Answer>
}

export interface Database extends Session, AsyncDisposable {
  /** Everything or nothing, with the patience that migrations need. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>
}

/** The database does not take a value: about the record, not about the world. */
export class RowRefused extends Error {
  override name = 'RowRefused'
}

export interface DatabaseOptions {
  readonly url: string
  readonly maxConnections: number
  readonly statementTimeoutMs: number
  /** By which PostgreSQL shows the connections. */
  readonly applicationName?: string
  readonly log: Log
}

interface PgClient {
  query(query: {
    text: string
    values: unknown[]
    query_timeout?: number
  }): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>
}
interface PgPool extends PgClient {
  connect(): Promise<PgClient & { release(destroy: boolean): void }>
  on(event: 'error', listener: (error: Error) => void): void
  end(): Promise<void>
}
// pg brings no types; these are the parts that we use.
const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: Record<string, unknown>) => PgPool
}

const connectTimeoutMs = 5_000
/** The server's own limit should strike first; this one covers a server that fell silent. */
const silentServerMs = 5_000

/** Building an index, or waiting for another instance that does, takes its time. */
const migrationTimeoutMs = 15 * 60_000

/** Connects nothing yet: the first statement does. */
export function openDatabase(options: DatabaseOptions): Database {
  const { url, maxConnections, statementTimeoutMs, log } = options
  const { applicationName = 'churnstream-sinks' } = options
  const pool = new Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + silentServerMs,
    keepAlive: true,
    application_name: applicationName,
  })
  // An idle connection that ends is replaced at the next statement.
  pool.on('error', (error) => log.warn({ reason: messageOf(error) }, 'an idle connection ended'))
  return {
    query: (statement, values) =>
      attempt('writing to PostgreSQL', () => ask(pool, statement, values)),
    async transaction(work) {
      const client = await attempt('connecting to PostgreSQL', () => pool.connect())
      const session: Session = {
        query: (statement, values) =>
          attempt('asking PostgreSQL', () => ask(client, statement, values, migrationTimeoutMs)),
      }
      let finished = false
      try {
        await session.query('BEGIN')
        await session.query(`SET LOCAL statement_timeout = ${migrationTimeoutMs}`)
        const result = await work(session)
        await session.query('COMMIT')
        finished = true
        return result
      } finally {
        // A connection in doubt is dropped, and the server rolls back what was open.
        client.release(!finished)
      }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

async function ask(
  client: PgClient,
  statement: string,
  values: readonly unknown[] = [],
  timeoutMs?: number,
): Promise<Answer> {
  const { rows, rowCount } = await client.query({
    text: statement,
    values: [...values],
    ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }),
  })
  return { rows, count: rowCount ?? 0 }
}

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof RangeError) throw cause
    const trouble = troubleOf(cause)
    if (trouble === 'transient') throw new TransientError(what, { cause })
    const { code = '' } = cause as { code?: string }
    if (trouble === 'data') throw new RowRefused(`${code} ${messageOf(cause)}`, { cause })
    const hint = code === '42501' ? '. Tables are changed by npm run migrate, as their owner' : ''
    throw new FatalError(`${what}: ${code} ${messageOf(cause)}${hint}`)
  }
}
