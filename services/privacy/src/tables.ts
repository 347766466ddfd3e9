// Which tables of PostgreSQL have rows of a player?
import type { Database, Session } from '@churnstream/sinks'
import { topics } from '@churnstream/topology'
import type { Finding } from './core/finding.ts'
import type { Life } from './core/life.ts'

export interface Table {
  readonly name: string
  readonly columns: ReadonlySet<string>
}

/** Every table that the role can see and that has a column of players. */
export async function tablesOf(session: Session): Promise<Table[]> {
  const { rows } = await session.query(
    `SELECT table_schema || '.' || table_name AS name, array_agg(column_name::text) AS columns
       FROM information_schema.tables JOIN information_schema.columns USING (table_schema, table_name)
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
      GROUP BY 1 HAVING 'player_id' = ANY (array_agg(column_name::text)) ORDER BY 1`,
  )
  return rows.map(({ name, columns }) => ({
    name: name as string,
    columns: new Set(columns as string[]),
  }))
}

/** As isOfFormerLife: by what caused them, or else by the instant that they are of. */
function rowsOf({ columns }: Table, life: Life): { where: string; values: unknown[] } {
  const { playerId, partition, untilOffset, requestedAt } = life
  if (columns.has('cause_offset')) {
    return {
      where:
        'player_id = $1 AND (cause_topic <> $2 OR cause_partition <> $3 OR cause_offset < $4::numeric)',
      // Infinity is no bigint.
      values: [playerId, topics.playerActivity.name, partition, String(untilOffset)],
    }
  }
  if (columns.has('as_of')) {
    return {
      where: "player_id = $1 AND as_of <= timestamptz 'epoch' + $2 * interval '1 millisecond'",
      values: [playerId, requestedAt],
    }
  }
  return { where: 'player_id = $1', values: [playerId] }
}

/** One statement for each table. @returns rows deleted by table */
export async function eraseInTables(
  database: Database,
  life: Life,
): Promise<ReadonlyMap<string, number>> {
  const deleted = new Map<string, number>()
  for (const table of await tablesOf(database)) {
    const { where, values } = rowsOf(table, life)
    const { count } = await database.query(`DELETE FROM ${table.name} WHERE ${where}`, values)
    deleted.set(table.name, count)
  }
  return deleted
}

export async function findInTables(
  database: Database,
  life: Life,
): Promise<{ readonly read: number; readonly findings: Finding[] }> {
  const tables = await tablesOf(database)
  const findings: Finding[] = []
  for (const table of tables) {
    const { where, values } = rowsOf(table, life)
    const { rows } = await database.query(
      `SELECT count(*)::integer AS found FROM ${table.name} WHERE ${where}`,
      values,
    )
    const found = rows[0]?.['found'] as number
    if (found === 0) continue
    const because = 'rows of the player'
    findings.push({ place: `postgresql/${table.name}`, found, goneAt: null, because })
  }
  return { read: tables.length, findings }
}
