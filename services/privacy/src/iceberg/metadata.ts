// What do Iceberg's table metadata and manifests say, and what do they say after an erasure?
// https://iceberg.apache.org/spec, version 2 of the format.

/** JSON's numbers lose the last bits of 64. */
export type Long = number | bigint

export interface Snapshot {
  readonly 'snapshot-id': Long
  readonly 'parent-snapshot-id'?: Long
  readonly 'sequence-number': Long
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly 'schema-id'?: number
  readonly summary: Readonly<Record<string, string>>
}

export interface TableMetadata {
  readonly 'format-version': number
  readonly location: string
  readonly 'last-sequence-number': Long
  readonly 'last-updated-ms': number
  readonly 'current-snapshot-id'?: Long | null
  readonly 'current-schema-id': number
  readonly schemas: readonly {
    readonly 'schema-id': number
    readonly fields: readonly { readonly id: number; readonly name: string }[]
  }[]
  readonly properties?: Readonly<Record<string, string>>
  readonly snapshots?: readonly Snapshot[]
  readonly refs?: Readonly<Record<string, { readonly 'snapshot-id': Long; readonly type: string }>>
  readonly 'metadata-log'?: readonly {
    readonly 'metadata-file': string
    readonly 'timestamp-ms': number
  }[]
  readonly [more: string]: unknown
}

/** A line of a snapshot's manifest list. */
export interface ManifestFile {
  readonly manifest_path: string
  readonly manifest_length: bigint
  /** 0: of data, 1: of deletes. */
  readonly content: number
  readonly sequence_number: bigint
  readonly min_sequence_number: bigint
  readonly added_snapshot_id: bigint
  readonly added_files_count: number
  readonly existing_files_count: number
  readonly deleted_files_count: number
  readonly added_rows_count: bigint
  readonly existing_rows_count: bigint
  readonly deleted_rows_count: bigint
}

export interface DataFile {
  readonly file_path: string
  readonly record_count: bigint
  readonly file_size_in_bytes: bigint
  readonly lower_bounds?: readonly { readonly key: number }[] | null
  readonly upper_bounds?: readonly { readonly key: number }[] | null
}

export const entryStatus = { existing: 0, added: 1, deleted: 2 } as const

export interface ManifestEntry {
  readonly status: number
  /** Null where the manifest's line in the list says it. */
  readonly snapshot_id: bigint | null
  readonly sequence_number: bigint | null
  readonly file_sequence_number: bigint | null
  readonly data_file: DataFile
}

export const parseMetadata = (text: string): TableMetadata =>
  JSON.parse(text, (_, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && source !== undefined && /^-?\d{16,}$/.test(source)
      ? BigInt(source)
      : value,
  ) as TableMetadata

// Of ES2026; the types do not know it yet.
const rawJSON = (JSON as unknown as { rawJSON: (text: string) => object }).rawJSON

export const formatMetadata = (metadata: TableMetadata): string =>
  JSON.stringify(metadata, (_, value: unknown) =>
    typeof value === 'bigint' ? rawJSON(String(value)) : value,
  )

export function currentSnapshotOf(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id']
  return id == null ? undefined : snapshotOf(metadata, id)
}

const snapshotOf = ({ snapshots = [] }: TableMetadata, id: Long): Snapshot | undefined =>
  snapshots.find((one) => BigInt(one['snapshot-id']) === BigInt(id))

export const fieldIdOf = (metadata: TableMetadata, name: string): number | undefined =>
  metadata.schemas
    .find((schema) => schema['schema-id'] === metadata['current-schema-id'])
    ?.fields.find((field) => field.name === name)?.id

/** Why the rows of such a table can't be taken out; undefined: they can. */
export function obstacleOf(
  metadata: TableMetadata,
  manifests: readonly ManifestFile[],
): string | undefined {
  const version = metadata['format-version']
  if (version !== 2) return `it is of version ${version} of the format`
  const other = Object.keys(metadata.refs ?? {}).find((name) => name !== 'main')
  if (other !== undefined) return `the branch or tag ${other} keeps its history: drop it`
  const hasDeletes = manifests.some(({ content }) => content !== 0)
  return hasDeletes ? 'it has delete files: rewrite its data files with an engine' : undefined
}

const ofConnect = 'kafka.connect.'

/**
 * The sink's coordinator finds in the snapshots up to where of the control topic it has committed. Its
 * newest word on each thing goes along, or it would commit files twice.
 */
function connectOf(metadata: TableMetadata): Record<string, string> {
  const found: Record<string, string> = {}
  for (
    let snapshot = currentSnapshotOf(metadata);
    snapshot !== undefined;
    snapshot =
      snapshot['parent-snapshot-id'] === undefined
        ? undefined
        : snapshotOf(metadata, snapshot['parent-snapshot-id'])
  ) {
    for (const [name, value] of Object.entries(snapshot.summary))
      if (name.startsWith(ofConnect)) found[name] ??= value
  }
  return found
}

/** Data files that go, and those that come in their place. */
export interface Replaced {
  readonly files: readonly DataFile[]
  readonly with: readonly DataFile[]
}

const sizeOf = (files: readonly DataFile[]) => ({
  files: BigInt(files.length),
  records: files.reduce((sum, file) => sum + file.record_count, 0n),
  bytes: files.reduce((sum, file) => sum + file.file_size_in_bytes, 0n),
})

/** @param before of the current snapshot */
export function summaryOf(
  metadata: TableMetadata,
  before: readonly DataFile[],
  { files: deleted, with: added }: Replaced,
): Record<string, string> {
  const [all, out, into] = [before, deleted, added].map(sizeOf) as [Size, Size, Size]
  const summary = {
    operation: 'overwrite',
    'added-data-files': into.files,
    'deleted-data-files': out.files,
    'added-records': into.records,
    'deleted-records': out.records,
    'added-files-size': into.bytes,
    'removed-files-size': out.bytes,
    'total-data-files': all.files - out.files + into.files,
    'total-records': all.records - out.records + into.records,
    'total-files-size': all.bytes - out.bytes + into.bytes,
    'total-delete-files': 0,
    'total-position-deletes': 0,
    'total-equality-deletes': 0,
    ...connectOf(metadata),
  }
  return Object.fromEntries(Object.entries(summary).map(([name, value]) => [name, String(value)]))
}

type Size = ReturnType<typeof sizeOf>

const metricsOfPlayers = 'write.metadata.metrics.column.player_id'
const logLength = 100

/**
 * The table with this snapshot and no other: what was, could be read in an older one.
 * @param location of the metadata that these replace
 */
export function withOnly(
  metadata: TableMetadata,
  location: string,
  snapshot: Snapshot,
): TableMetadata {
  const id = snapshot['snapshot-id']
  const { statistics: _, 'partition-statistics': __, ...kept } = metadata
  return {
    ...kept,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': snapshot['timestamp-ms'],
    'current-snapshot-id': id,
    // Bounds of files would name players.
    properties: { ...metadata.properties, [metricsOfPlayers]: 'none' },
    snapshots: [snapshot],
    refs: { main: { 'snapshot-id': id, type: 'branch' } },
    'snapshot-log': [{ 'snapshot-id': id, 'timestamp-ms': snapshot['timestamp-ms'] }],
    'metadata-log': [
      ...(metadata['metadata-log'] ?? []),
      { 'metadata-file': location, 'timestamp-ms': metadata['last-updated-ms'] },
    ].slice(-logLength),
  }
}

/** What was measured of the values of a file; without, it is read to know them. */
const measured = [
  'column_sizes',
  'value_counts',
  'null_value_counts',
  'nan_value_counts',
  'lower_bounds',
  'upper_bounds',
  'split_offsets',
]

export const withoutMetrics = <F extends DataFile>(file: F): F => ({
  ...file,
  ...Object.fromEntries(measured.filter((name) => name in file).map((name) => [name, null])),
})

/** Whether its bounds are of players: the first and the last of the file. */
export const boundsName = (file: DataFile, fieldId: number): boolean =>
  [file.lower_bounds, file.upper_bounds].some(
    (bounds) => bounds?.some(({ key }) => key === fieldId) === true,
  )

/**
 * A manifest's entries once these files are replaced, in the snapshot of that id. Whatever an entry
 * left to its line in the list is written out, as that line is another one then.
 */
export function entriesAfter(
  entries: readonly ManifestEntry[],
  line: ManifestFile,
  replacements: ReadonlyMap<string, DataFile | undefined>,
  snapshotId: bigint,
): ManifestEntry[] {
  const after: ManifestEntry[] = []
  for (const entry of entries) {
    // Said once, in the snapshot that deleted them, which goes.
    if (entry.status === entryStatus.deleted) continue
    const sequenceNumber = entry.sequence_number ?? line.sequence_number
    const known = {
      ...entry,
      snapshot_id: entry.snapshot_id ?? line.added_snapshot_id,
      sequence_number: sequenceNumber,
      file_sequence_number: entry.file_sequence_number ?? line.sequence_number,
    }
    const path = entry.data_file.file_path
    if (!replacements.has(path)) {
      after.push({ ...known, status: entryStatus.existing })
      continue
    }
    after.push({ ...known, status: entryStatus.deleted, snapshot_id: snapshotId })
    const replacement = replacements.get(path)
    if (replacement === undefined) continue
    after.push({
      status: entryStatus.added,
      snapshot_id: snapshotId,
      sequence_number: null,
      file_sequence_number: null,
      data_file: replacement,
    })
  }
  return after
}

/** A manifest's line in the list of the snapshot that wrote it. */
export function lineOf(
  before: ManifestFile,
  entries: readonly ManifestEntry[],
  manifest: { readonly path: string; readonly bytes: number },
  snapshot: { readonly id: bigint; readonly sequenceNumber: bigint },
): ManifestFile {
  const of = (status: number) => {
    const files = entries.filter((entry) => entry.status === status)
    return {
      count: files.length,
      rows: files.reduce((sum, { data_file }) => sum + data_file.record_count, 0n),
    }
  }
  const live = entries.filter(({ status }) => status !== entryStatus.deleted)
  const [added, existing, deleted] = [
    of(entryStatus.added),
    of(entryStatus.existing),
    of(entryStatus.deleted),
  ]
  return {
    ...before,
    manifest_path: manifest.path,
    manifest_length: BigInt(manifest.bytes),
    sequence_number: snapshot.sequenceNumber,
    min_sequence_number: live.reduce(
      (least, { sequence_number: own }) => (own !== null && own < least ? own : least),
      snapshot.sequenceNumber,
    ),
    added_snapshot_id: snapshot.id,
    added_files_count: added.count,
    existing_files_count: existing.count,
    deleted_files_count: deleted.count,
    added_rows_count: added.rows,
    existing_rows_count: existing.rows,
    deleted_rows_count: deleted.rows,
  }
}
