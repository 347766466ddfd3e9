// What does a table of Iceberg hold, for a test that asks?
import { openScratch, type Objects } from '@churnstream/batch'
import type { Database } from '@churnstream/sinks'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAvroFile } from './iceberg/avro-file.ts'
import { cataloguedTables, commitTable } from './iceberg/catalogue.ts'
import {
  currentSnapshotOf,
  entryStatus,
  formatMetadata,
  parseMetadata,
  type ManifestEntry,
  type ManifestFile,
  type TableMetadata,
} from './iceberg/metadata.ts'
import { readObject } from './iceberg/read-object.ts'
import { readRows, type Row } from './parquet.ts'

export interface IcebergTable {
  readonly metadata: TableMetadata
  /** Of the current snapshot. */
  readonly manifests: readonly ManifestFile[]
  readonly rows: readonly Row[]
}

/** The first of the catalogue; undefined while there is none. */
export async function readIcebergTable(
  database: Database,
  objects: Objects,
): Promise<IcebergTable | undefined> {
  await using scratch = await openScratch()
  const file = join(scratch.path, 'object')
  const read = async (location: string): Promise<Buffer> => {
    const bytes = await readObject(objects, location, file)
    if (bytes === undefined) throw new Error(`${location} is not there`)
    return bytes
  }
  const [table] = await cataloguedTables(database)
  if (table === undefined) return undefined
  const metadata = parseMetadata(String(await read(table.metadataLocation)))
  const snapshot = currentSnapshotOf(metadata)
  if (snapshot === undefined) return { metadata, manifests: [], rows: [] }
  const manifests = readAvroFile<ManifestFile>(await read(snapshot['manifest-list'])).records
  const rows: Row[] = []
  for (const { manifest_path: path } of manifests) {
    for (const { status, data_file: data } of readAvroFile<ManifestEntry>(await read(path))
      .records) {
      if (status === entryStatus.deleted) continue
      const bytes = await read(data.file_path)
      const own = (await readRows(file)).rows
      if (BigInt(own.length) !== data.record_count) throw new Error(`${data.file_path}: rows`)
      if (BigInt(bytes.length) !== data.file_size_in_bytes)
        throw new Error(`${data.file_path}: size`)
      rows.push(...own)
    }
  }
  return { metadata, manifests, rows }
}

/** As an engine's ALTER TABLE. @returns false when somebody else committed meanwhile */
export async function setIcebergProperty(
  database: Database,
  objects: Objects,
  name: string,
  value: string,
): Promise<boolean> {
  await using scratch = await openScratch()
  const file = join(scratch.path, 'metadata')
  const [table] = await cataloguedTables(database)
  if (table === undefined) throw new Error('there is no table')
  const bytes = await readObject(objects, table.metadataLocation, file)
  if (bytes === undefined) throw new Error(`${table.metadataLocation} is not there`)
  const metadata = parseMetadata(String(bytes))
  const properties = { ...metadata.properties, [name]: value }
  await writeFile(file, formatMetadata({ ...metadata, properties }))
  const next = table.metadataLocation.replace(/[^/]+$/, `99999-${randomUUID()}.metadata.json`)
  await objects.upload(file, next)
  return commitTable(database, table, next)
}
