// How do a player's rows go out of a table of Iceberg, while its sink goes on writing?
import { openScratch, type Objects, type Scratch } from '@churnstream/batch'
import { FatalError, TransientError, messageOf } from '@churnstream/runtime'
import type { Database } from '@churnstream/sinks'
import { randomBytes, randomUUID } from 'node:crypto'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isOfFormerLife, type Life } from '../core/life.ts'
import { countInParquet, withoutInParquet, type Row } from '../parquet.ts'
import { readAvroFile, writeAvroFile, type AvroFile } from './avro-file.ts'
import { cataloguedTables, commitTable, type CataloguedTable } from './catalogue.ts'
import {
  boundsName,
  currentSnapshotOf,
  entriesAfter,
  entryStatus,
  fieldIdOf,
  formatMetadata,
  lineOf,
  obstacleOf,
  parseMetadata,
  summaryOf,
  withOnly,
  withoutMetrics,
  type DataFile,
  type ManifestEntry,
  type ManifestFile,
  type Snapshot,
  type TableMetadata,
} from './metadata.ts'
import { readObject } from './read-object.ts'

export interface IcebergErased {
  /** Rows taken out, by table. */
  readonly rows: ReadonlyMap<string, number>
  /** Tables left as they were, and why. */
  readonly refused: readonly string[]
}

export interface IcebergOptions {
  /**
   * Until the sink has committed whatever it has read of the former life: a file that it has written
   * and not committed must not go.
   */
  readonly untilCommitted: () => Promise<void>
  readonly onProgress: (line: string) => void
}

/** Somebody else may commit in between; the sink does so once a minute. */
const attempts = 10

/**
 * In every table of the catalogue that has a column player_id. The data files that have such rows are
 * written anew without them, the table gets a snapshot with these and keeps no older one, and what no
 * snapshot names any more is deleted. See docs/decisions/0125.
 * @throws TransientError when servers are away, or others commit all the time
 * @throws FatalError when a file is not what its name says
 */
export async function eraseInIceberg(
  database: Database,
  objects: Objects,
  life: Life,
  { untilCommitted, onProgress }: IcebergOptions,
): Promise<IcebergErased> {
  await using scratch = await openScratch()
  const rows = new Map<string, number>()
  const refused: string[] = []
  const tables = await cataloguedTables(database)
  if (tables.length > 0) await untilCommitted()
  for (const table of tables) {
    const name = `${table.namespace}.${table.name}`
    const erasing = openErasing({ database, objects, scratch, table, life })
    const done = await erasing.run()
    if ('obstacle' in done) {
      refused.push(`iceberg/${name}: ${done.obstacle}`)
      onProgress(`iceberg/${name} can't be changed: ${done.obstacle}`)
      continue
    }
    rows.set(name, done.rows)
    onProgress(`iceberg/${name}: ${done.rows} rows and ${done.files} files are gone`)
  }
  return { rows, refused }
}

interface Options {
  readonly database: Database
  readonly objects: Objects
  readonly scratch: Scratch
  readonly table: CataloguedTable
  readonly life: Life
}

interface Manifest {
  readonly line: ManifestFile
  readonly file: AvroFile<ManifestEntry>
}

/** The table as one of its snapshots has it. */
interface State {
  readonly location: string
  readonly metadata: TableMetadata
  readonly snapshot: Snapshot | undefined
  readonly list: AvroFile<ManifestFile> | undefined
  readonly manifests: readonly Manifest[]
}

/** A data file that has such rows, and the file that stands for the others. */
interface Rewritten {
  readonly removed: number
  readonly with:
    { readonly path: string; readonly rows: number; readonly bytes: number } | undefined
}

function openErasing({ database, objects, scratch, table, life }: Options) {
  const isTheirs = (row: Row): boolean => isOfFormerLife(row, life)
  const data = join(scratch.path, 'data')
  /** By path: a file does not change. */
  const looked = new Map<string, boolean>()
  const rewritten = new Map<string, Rewritten>()

  const read = (location: string) => readObject(objects, location, join(scratch.path, 'read'))

  async function readOwn<T>(location: string, parse: (bytes: Buffer) => T): Promise<T> {
    const bytes = await read(location)
    // The table has changed since somebody said that it is there.
    if (bytes === undefined) throw new TransientError(`${location} is not there any more`)
    try {
      return parse(bytes)
    } catch (error) {
      throw new FatalError(`${location} is not what its name says: ${messageOf(error)}`)
    }
  }

  async function write(location: string, bytes: Buffer | string): Promise<number> {
    const file = join(scratch.path, 'write')
    await writeFile(file, bytes)
    await objects.upload(file, location)
    return Buffer.byteLength(bytes)
  }

  const readList = (location: string) => readOwn(location, (it) => readAvroFile<ManifestFile>(it))
  const readManifest = (location: string) =>
    readOwn(location, (it) => readAvroFile<ManifestEntry>(it))

  async function readState(): Promise<State> {
    const now = (await cataloguedTables(database)).find(
      ({ catalogue, namespace, name }) =>
        catalogue === table.catalogue && namespace === table.namespace && name === table.name,
    )
    if (now === undefined) throw new TransientError(`${table.name} has left the catalogue`)
    const location = now.metadataLocation
    const metadata = await readOwn(location, (it) => parseMetadata(String(it)))
    const snapshot = currentSnapshotOf(metadata)
    const list = snapshot && (await readList(snapshot['manifest-list']))
    const manifests: Manifest[] = []
    for (const line of list?.records ?? [])
      manifests.push({ line, file: await readManifest(line.manifest_path) })
    return { location, metadata, snapshot, list, manifests }
  }

  async function fetchData(path: string): Promise<void> {
    const object = await objects.find(path)
    if (object === undefined) throw new TransientError(`${path} is not there any more`)
    await objects.download(object, data)
  }

  async function isInData(path: string): Promise<boolean> {
    const known = looked.get(path)
    if (known !== undefined) return known
    await fetchData(path)
    const count = await attemptParquet(path, () => countInParquet(data, isTheirs))
    looked.set(path, count > 0)
    return count > 0
  }

  /** Writes the file anew beside the old one. */
  async function rewrite(path: string): Promise<Rewritten> {
    const known = rewritten.get(path)
    if (known !== undefined) return known
    await fetchData(path)
    const rest = join(scratch.path, 'rest')
    const without = await attemptParquet(path, () => withoutInParquet(data, rest, isTheirs))
    if (without === undefined) {
      throw new FatalError(`${path}: without the player's rows it would not be read as before`)
    }
    const anew = { path: beside(path), rows: without.kept, bytes: (await stat(rest)).size }
    if (anew.rows > 0) await objects.upload(rest, anew.path)
    const done = { removed: without.removed, with: anew.rows > 0 ? anew : undefined }
    rewritten.set(path, done)
    return done
  }

  async function commit(state: State, fieldId: number): Promise<number | undefined> {
    const { location, metadata, snapshot, list, manifests } = state
    if (snapshot === undefined || list === undefined) return 0
    const live = manifests.flatMap(({ file }) => liveOf(file.records))
    const replacements = new Map<string, DataFile | undefined>()
    let rows = 0
    for (const file of live) {
      if (!(await isInData(file.file_path))) continue
      const anew = await rewrite(file.file_path)
      rows += anew.removed
      replacements.set(file.file_path, anew.with && replacedBy(file, anew.with))
    }
    const isTouched = ({ file }: Manifest): boolean =>
      liveOf(file.records).some(
        (one) => replacements.has(one.file_path) || boundsName(one, fieldId),
      )
    const isHistoryOnly = !manifests.some(isTouched)
    if (isHistoryOnly && !(await hasHidden(state))) return 0

    const id = randomBytes(8).readBigUInt64BE() >> 1n
    const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
    const written: string[] = []
    const inFolder = (name: string): string => `${folderOf(location)}/${name}`
    const lines: ManifestFile[] = []
    for (const manifest of manifests) {
      if (!isTouched(manifest)) {
        lines.push(manifest.line)
        continue
      }
      const { line, file } = manifest
      const entries = entriesAfter(file.records, line, replacements, id).map((entry) =>
        boundsName(entry.data_file, fieldId)
          ? { ...entry, data_file: withoutMetrics(entry.data_file) }
          : entry,
      )
      const path = inFolder(`${randomUUID()}-m0.avro`)
      const bytes = await write(path, writeAvroFile({ ...file, records: entries }))
      written.push(path)
      lines.push(lineOf(line, entries, { path, bytes }, { id, sequenceNumber }))
    }
    const listPath = inFolder(`snap-${id}-1-${randomUUID()}.avro`)
    const headers = {
      'snapshot-id': id,
      'parent-snapshot-id': BigInt(snapshot['snapshot-id']),
      'sequence-number': sequenceNumber,
    }
    const named = Object.entries(headers).map(([name, value]) => [name, Buffer.from(`${value}`)])
    const listMetadata = { ...list.metadata, ...Object.fromEntries(named) } as typeof list.metadata
    await write(listPath, writeAvroFile({ ...list, metadata: listMetadata, records: lines }))
    written.push(listPath)

    const next: Snapshot = {
      'snapshot-id': id,
      'parent-snapshot-id': snapshot['snapshot-id'],
      'sequence-number': sequenceNumber,
      'timestamp-ms': Math.max(Date.now(), metadata['last-updated-ms']),
      'manifest-list': listPath,
      summary: summaryOf(metadata, live, {
        files: live.filter(({ file_path: path }) => replacements.has(path)),
        with: [...replacements.values()].filter((file) => file !== undefined),
      }),
      'schema-id': metadata['current-schema-id'],
    }
    const version = Number(/\/(\d+)-[^/]*$/.exec(location)?.[1] ?? 0) + 1
    const nextLocation = inFolder(
      `${String(version).padStart(5, '0')}-${randomUUID()}.metadata.json`,
    )
    await write(nextLocation, formatMetadata(withOnly(metadata, location, next)))
    written.push(nextLocation)
    if (await commitTable(database, { ...table, metadataLocation: location }, nextLocation)) {
      return rows
    }
    for (const path of written) await objects.remove(path)
    return undefined
  }

  /** Data files that the current snapshot does not name, and that have such rows. */
  async function hidden(state: State): Promise<string[]> {
    const live = new Set(
      state.manifests.flatMap(({ file }) => liveOf(file.records)).map((one) => one.file_path),
    )
    const found: string[] = []
    for (const { bucket, key } of await objects.list(state.metadata.location)) {
      const path = `s3://${bucket}/${key}`
      if (!key.endsWith('.parquet') || live.has(path) || isAwaited(path)) continue
      if (await isInData(path)) found.push(path)
    }
    return found
  }

  const hasHidden = async (state: State): Promise<boolean> =>
    (state.metadata.snapshots?.length ?? 0) > 1 && (await hidden(state)).length > 0

  /** What snapshots named that the table has no more. */
  async function removeGone(): Promise<number> {
    const state = await readState()
    const { metadata } = state
    const lists = new Set(metadata.snapshots?.map((one) => one['manifest-list']))
    const gone = new Map<string, string[]>()
    for (const { 'metadata-file': location } of metadata['metadata-log'] ?? []) {
      const bytes = await read(location)
      if (bytes === undefined) continue
      const { snapshots = [] } = parseMetadata(String(bytes))
      const former = snapshots.map((one) => one['manifest-list']).filter((one) => !lists.has(one))
      if (former.length > 0) gone.set(location, former)
    }
    const garbage = new Set<string>(await hidden(state))
    // Of an attempt that others were faster than, and that the next one had no use for.
    for (const { with: anew } of rewritten.values()) if (anew) garbage.add(anew.path)
    const kept = new Set<string>(lists)
    for (const list of lists) {
      const isCurrent = list === state.snapshot?.['manifest-list']
      if (isCurrent || gone.size > 0) await named(list, kept)
    }
    const formerLists = new Set([...gone.values()].flat())
    for (const list of formerLists) await named(list, garbage)
    // In this order what is left after a crash is found again.
    for (const list of formerLists) garbage.add(list)
    for (const location of gone.keys()) garbage.add(location)
    let removed = 0
    for (const path of garbage) {
      if (kept.has(path)) continue
      await objects.remove(path)
      removed++
    }
    return removed
  }

  /** The manifests and data files of a list, if it is still there: data first. */
  async function named(location: string, into: Set<string>): Promise<void> {
    const list = await read(location)
    if (list === undefined) return
    const manifests = readAvroFile<ManifestFile>(list).records.map((one) => one.manifest_path)
    for (const path of manifests) {
      if (into.has(path)) continue
      const manifest = await read(path)
      if (manifest === undefined) continue
      for (const file of liveOf(readAvroFile<ManifestEntry>(manifest).records))
        into.add(file.file_path)
    }
    for (const path of manifests) into.add(path)
  }

  return {
    async run(): Promise<
      { readonly rows: number; readonly files: number } | { readonly obstacle: string }
    > {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const state = await readState()
        const fieldId = fieldIdOf(state.metadata, 'player_id')
        if (fieldId === undefined) return { rows: 0, files: 0 }
        const obstacle = obstacleOf(
          state.metadata,
          state.manifests.map(({ line }) => line),
        )
        if (obstacle !== undefined) return { obstacle }
        const rows = await commit(state, fieldId)
        if (rows !== undefined) return { rows, files: await removeGone() }
      }
      throw new TransientError(`${table.name}: others committed ${attempts} times in between`)
    },
  }
}

const liveOf = (entries: readonly ManifestEntry[]): DataFile[] =>
  entries.flatMap(({ status, data_file: file }) => (status === entryStatus.deleted ? [] : [file]))

const replacedBy = (
  file: DataFile,
  { path, rows, bytes }: { readonly path: string; readonly rows: number; readonly bytes: number },
): DataFile => ({
  ...withoutMetrics(file),
  file_path: path,
  record_count: BigInt(rows),
  file_size_in_bytes: BigInt(bytes),
})

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))
/** Its name says since when. */
const beside = (path: string): string =>
  `${folderOf(path)}/${Date.now()}-${randomUUID()}-kept.parquet`

/** Longer than from writing such a file to the commit that names it. */
const awaitedMs = 60 * 60_000

/** Whether another player's erasure may be about to commit it. */
function isAwaited(path: string): boolean {
  const [, writtenAt] = /\/(\d+)-[^/]*-kept\.parquet$/.exec(path) ?? []
  return writtenAt !== undefined && Date.now() - Number(writtenAt) < awaitedMs
}

async function attemptParquet<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new FatalError(`${path} is not what its name says: ${messageOf(error)}`)
  }
}
