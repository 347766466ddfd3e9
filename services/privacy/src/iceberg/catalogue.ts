// Which tables does Iceberg's catalogue know, and whose metadata count?
import type { Database } from '@churnstream/sinks'

/** A table as the JDBC catalogue has it, in the warehouse's own database. */
export interface CataloguedTable {
  readonly catalogue: string
  readonly namespace: string
  readonly name: string
  /** s3://… */
  readonly metadataLocation: string
}

/** None where nothing has made a catalogue yet. */
export async function cataloguedTables(database: Database): Promise<CataloguedTable[]> {
  const made = await database.query(`SELECT to_regclass('iceberg_tables') IS NOT NULL AS made`)
  if (made.rows[0]?.['made'] !== true) return []
  // A catalogue of before views has no column iceberg_type.
  const { rows } = await database.query('SELECT * FROM iceberg_tables ORDER BY 1, 2, 3')
  return rows
    .filter(({ iceberg_type: type }) => type == null || type === 'TABLE')
    .map((row) => ({
      catalogue: row['catalog_name'] as string,
      namespace: row['table_namespace'] as string,
      name: row['table_name'] as string,
      metadataLocation: row['metadata_location'] as string,
    }))
}

/** @returns false when somebody else committed meanwhile */
export async function commitTable(
  database: Database,
  { catalogue, namespace, name, metadataLocation }: CataloguedTable,
  nextLocation: string,
): Promise<boolean> {
  const { count } = await database.query(
    `UPDATE iceberg_tables SET metadata_location = $1, previous_metadata_location = $2
      WHERE catalog_name = $3 AND table_namespace = $4 AND table_name = $5
        AND metadata_location = $2`,
    [nextLocation, metadataLocation, catalogue, namespace, name],
  )
  return count === 1
}
