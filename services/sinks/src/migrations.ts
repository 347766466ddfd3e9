// Does the database have our tables, as this build knows them?
import { FatalError } from '@churnstream/runtime'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { Database } from './database.ts'

export interface Migration {
  readonly name: string
  readonly sql: string
}

/** Any number, the same for every instance: who holds it migrates, the others wait. */
const lockKey = 4_817_203_551

export function readMigrations(
  folder: URL = new URL('../migrations/', import.meta.url),
): Migration[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({
      name,
      // A checkout with other line ends is the same migration.
      sql: readFileSync(new URL(name, folder), 'utf8').replaceAll('\r\n', '\n'),
    }))
}

const usualTable = 'sinks_migrations'

/**
 * Applies what is missing, in order, all or nothing. Unknown applied ones are left alone: a newer
 * build was here, and its tables must suit its predecessor.
 * @param table where it is written down what was applied: each owner of tables has its own
 * @returns the names of those applied now
 * @throws FatalError when an applied migration reads differently now
 */
export function migrate(
  database: Database,
  migrations: readonly Migration[] = readMigrations(),
  table: string = usualTable,
): Promise<string[]> {
  return database.transaction(async (session) => {
    await session.query('SELECT pg_advisory_xact_lock($1)', [lockKey])
    const { rows: places } = await session.query('SELECT to_regclass($1) AS found', [table])
    // Not IF NOT EXISTS: a role that may make no tables is refused that too.
    if (places[0]?.['found'] === null) {
      await session.query(
        `CREATE TABLE ${table} ` +
          '(name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
      )
    }
    const { rows } = await session.query(`SELECT name, checksum FROM ${table}`)
    const applied = new Map(rows.map(({ name, checksum }) => [name as string, checksum as string]))
    const now: string[] = []
    for (const { name, sql } of migrations) {
      const checksum = createHash('sha256').update(sql).digest('hex')
      const before = applied.get(name)
      if (before === checksum) continue
      if (before !== undefined) {
        throw new FatalError(
          `migration ${name} was applied with checksum ${before} and reads ${checksum} now. ` +
            'An applied migration never changes: restore its file and put the change into a new one.',
        )
      }
      // Without values: only then may one text hold several statements.
      await session.query(sql)
      await session.query(`INSERT INTO ${table} (name, checksum) VALUES ($1, $2)`, [name, checksum])
      now.push(name)
    }
    return now
  })
}

const usualGrants = new URL('../grants.sql', import.meta.url)

/**
 * Gives each role of roles.sql what it may do with the tables, as their owner; the same again changes
 * nothing. False where the roles were never made: only the owner comes in then.
 */
export async function grant(database: Database, file: URL = usualGrants): Promise<boolean> {
  const { rows } = await database.query("SELECT FROM pg_roles WHERE rolname = 'sink_writer'")
  if (rows.length === 0) return false
  await database.transaction((session) => session.query(readFileSync(file, 'utf8')))
  return true
}
