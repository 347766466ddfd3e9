// Do a player's rows leave a table of Iceberg, whatever breaks and whoever commits in between?
import {
  openRowWriter,
  type Installation,
  type Objects,
  type OutputColumn,
} from '@churnstream/batch'
import { TransientError } from '@churnstream/runtime'
import type { Database } from '@churnstream/sinks'
import { topics } from '@churnstream/topology'
import type { Schema } from 'avsc'
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Life } from '../core/life.ts'
import { readIcebergTable } from '../testing.ts'
import { writeAvroFile } from './avro-file.ts'
import { formatMetadata, parseMetadata, type TableMetadata } from './metadata.ts'
import { eraseInIceberg } from './table.ts'

const folder = mkdtempSync(join(tmpdir(), 'churnstream-iceberg-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const location = 's3://lake/iceberg/warehouse/score_history'
const life: Life = { playerId: 'p-1', partition: 3, untilOffset: 100, requestedAt: 0 }
const playerField = 1

const mapOf = (values: string, id: number): Schema =>
  [
    'null',
    {
      type: 'array',
      logicalType: 'map',
      items: {
        type: 'record',
        name: `k${id}`,
        fields: [
          { name: 'key', type: 'int', 'field-id': id },
          { name: 'value', type: values, 'field-id': id + 1 },
        ],
      },
    },
  ] as unknown as Schema
const manifestSchema = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    { name: 'status', type: 'int', 'field-id': 0 },
    { name: 'snapshot_id', type: ['null', 'long'], default: null, 'field-id': 1 },
    { name: 'sequence_number', type: ['null', 'long'], default: null, 'field-id': 3 },
    { name: 'file_sequence_number', type: ['null', 'long'], default: null, 'field-id': 4 },
    {
      name: 'data_file',
      'field-id': 2,
      type: {
        type: 'record',
        name: 'r2',
        fields: [
          { name: 'content', type: 'int', 'field-id': 134 },
          { name: 'file_path', type: 'string', 'field-id': 100 },
          { name: 'record_count', type: 'long', 'field-id': 103 },
          { name: 'file_size_in_bytes', type: 'long', 'field-id': 104 },
          { name: 'value_counts', type: mapOf('long', 119), 'field-id': 109 },
          { name: 'lower_bounds', type: mapOf('bytes', 126), 'field-id': 125 },
          { name: 'upper_bounds', type: mapOf('bytes', 129), 'field-id': 128 },
        ],
      },
    },
  ],
} as unknown as Schema
const listSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    { name: 'manifest_path', type: 'string', 'field-id': 500 },
    { name: 'manifest_length', type: 'long', 'field-id': 501 },
    { name: 'content', type: 'int', 'field-id': 517 },
    { name: 'sequence_number', type: 'long', 'field-id': 515 },
    { name: 'min_sequence_number', type: 'long', 'field-id': 516 },
    { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
    ...['added', 'existing', 'deleted'].flatMap((what) => [
      { name: `${what}_files_count`, type: 'int' },
      { name: `${what}_rows_count`, type: 'long' },
    ]),
  ],
} as unknown as Schema

const columns: readonly OutputColumn[] = [
  { name: 'player_id', type: 'text' },
  { name: 'cause_topic', type: 'text' },
  { name: 'cause_partition', type: 'integer' },
  { name: 'cause_offset', type: 'integer' },
]

/** player and offset */
type TestRow = readonly [string, number]

/** A lake in memory, and its catalogue: a call may fail, and somebody else may be faster. */
function createLake() {
  const objects = new Map<string, Buffer>()
  let metadataLocation = `${location}/metadata/00001-a.metadata.json`
  let metadata: TableMetadata | undefined
  let written = 0
  let callsUntilFailure = Infinity
  let fasterOnce: (() => void) | undefined
  const call = (): void => {
    if (callsUntilFailure-- <= 0) throw new TransientError('away')
  }
  const nameOf = (path: string): string => path.replace('s3://lake/', '')
  const store: Objects = {
    async find(path) {
      call()
      const bytes = objects.get(path)
      return bytes && { bucket: 'lake', key: nameOf(path), sizeBytes: bytes.length, etag: '' }
    },
    async list(prefix) {
      call()
      return [...objects]
        .filter(([path]) => path.startsWith(`${prefix}/`))
        .map(([path, { length: sizeBytes }]) => ({
          bucket: 'lake',
          key: nameOf(path),
          sizeBytes,
          etag: '',
        }))
    },
    async download({ key }, file) {
      call()
      writeFileSync(file, objects.get(`s3://lake/${key}`) as Buffer)
      return ''
    },
    async upload(file, path) {
      call()
      objects.set(path, readFileSync(file))
    },
    async remove(path) {
      call()
      objects.delete(path)
    },
  }
  const database = {
    async query(statement: string, values: readonly unknown[] = []) {
      call()
      if (statement.includes('to_regclass')) return { rows: [{ made: true }], count: 1 }
      const row = { catalog_name: 'w', table_namespace: 'warehouse', table_name: 'score_history' }
      if (statement.startsWith('SELECT')) {
        return { rows: [{ ...row, metadata_location: metadataLocation }], count: 1 }
      }
      fasterOnce?.()
      fasterOnce = undefined
      if (values[1] !== metadataLocation) return { rows: [], count: 0 }
      metadataLocation = values[0] as string
      return { rows: [], count: 1 }
    },
  } as unknown as Database

  async function parquetOf(rows: readonly TestRow[]): Promise<Buffer> {
    const file = join(folder, 'data.parquet')
    await using writer = await openRowWriter(file, columns, {} as Installation)
    await writer.write(
      rows.map(([player, offset]) => [player, topics.playerActivity.name, life.partition, offset]),
    )
    await writer.finish()
    return readFileSync(file)
  }

  /** As the sink does: one file more, in one manifest more. */
  function append(data: Buffer, rows: number, more: Partial<TableMetadata> = {}): void {
    const number = ++written
    const id = (1n << 62n) + BigInt(number)
    const before = metadata && parseMetadata(String(objects.get(metadataLocation) as Buffer))
    const parent = before?.snapshots?.at(-1)
    const lines = parent === undefined ? [] : linesOf(parent['manifest-list'])
    const path = `${location}/data/file-${number}.parquet`
    objects.set(path, data)
    const bounds = [{ key: playerField, value: Buffer.from('p-1') }]
    const manifest = writeAvroFile({
      schema: manifestSchema,
      metadata: { content: Buffer.from('data') },
      records: [
        {
          status: 1,
          snapshot_id: null,
          sequence_number: null,
          file_sequence_number: null,
          data_file: {
            content: 0,
            file_path: path,
            record_count: BigInt(rows),
            file_size_in_bytes: BigInt(data.length),
            value_counts: [{ key: playerField, value: BigInt(rows) }],
            lower_bounds: number === 1 ? bounds : null,
            upper_bounds: null,
          },
        },
      ],
    })
    const manifestPath = `${location}/metadata/m-${number}.avro`
    objects.set(manifestPath, manifest)
    const line = {
      manifest_path: manifestPath,
      manifest_length: BigInt(manifest.length),
      content: 0,
      sequence_number: BigInt(number),
      min_sequence_number: BigInt(number),
      added_snapshot_id: id,
      added_files_count: 1,
      added_rows_count: BigInt(rows),
      existing_files_count: 0,
      existing_rows_count: 0n,
      deleted_files_count: 0,
      deleted_rows_count: 0n,
    }
    const list = `${location}/metadata/snap-${number}.avro`
    const all = { schema: listSchema, metadata: {}, records: [...lines, line] }
    lists.set(list, all.records)
    objects.set(list, writeAvroFile(all))
    metadata = {
      'format-version': 2,
      location,
      'last-sequence-number': number,
      'last-updated-ms': number,
      'current-schema-id': 0,
      schemas: [{ 'schema-id': 0, fields: [{ id: playerField, name: 'player_id' }] }],
      ...before,
      ...more,
      'current-snapshot-id': id,
      snapshots: [
        ...(before?.snapshots ?? []),
        {
          'snapshot-id': id,
          ...(parent && { 'parent-snapshot-id': parent['snapshot-id'] }),
          'sequence-number': number,
          'timestamp-ms': number,
          'manifest-list': list,
          summary: { operation: 'append', 'kafka.connect.offsets.control.g': `{"0":${number}}` },
        },
      ],
    }
    metadataLocation = `${location}/metadata/0000${number}-a.metadata.json`
    objects.set(metadataLocation, Buffer.from(formatMetadata(metadata)))
  }
  const lists = new Map<string, object[]>()
  const linesOf = (list: string): object[] => lists.get(list) ?? []

  return {
    objects,
    store,
    database,
    parquetOf,
    append,
    failAfter: (calls: number) => void (callsUntilFailure = calls),
    beFaster: (work: () => void) => void (fasterOnce = work),
    erase: () =>
      eraseInIceberg(database, store, life, {
        untilCommitted: async () => undefined,
        onProgress: () => undefined,
      }),
    async rows(): Promise<string[]> {
      const table = await readIcebergTable(database, store)
      return (table?.rows ?? [])
        .map((row) => `${String(row['player_id'])}@${String(row['cause_offset'])}`)
        .toSorted()
    },
    table: () => readIcebergTable(database, store),
  }
}

/** Two files with rows of the former life, one of them with nothing else, and one without any. */
async function createFilledLake() {
  const lake = createLake()
  const files: TestRow[][] = [
    [
      ['p-1', 7],
      ['p-2', 8],
      ['p-10', 9],
      ['p-1', 100],
    ],
    [['p-1', 12]],
    [['p-3', 13]],
  ]
  for (const rows of files) lake.append(await lake.parquetOf(rows), rows.length)
  // Written by the sink and given up: no snapshot names it.
  lake.objects.set(`${location}/data/orphan.parquet`, await lake.parquetOf([['p-1', 13]]))
  lake.objects.set(`${location}/data/other.parquet`, await lake.parquetOf([['p-4', 14]]))
  return lake
}
const left = ['p-1@100', 'p-10@9', 'p-2@8', 'p-3@13']

async function assertErased(
  lake: Awaited<ReturnType<typeof createFilledLake>>,
  more: string[] = [],
) {
  assert.deepEqual(await lake.rows(), [...left, ...more].toSorted())
  const gone = ['file-1.', 'file-2.', 'orphan.', 'm-1.', 'm-2.', 'snap-1.', 'snap-2.', 'snap-3.']
  const names = [...lake.objects.keys()]
  assert.deepEqual(
    names.filter((name) => gone.some((one) => name.includes(`/${one}`))),
    [],
  )
  assert.ok(names.some((name) => name.includes('other.parquet')))
  const table = await lake.table()
  assert.equal(table?.metadata.snapshots?.length, 1)
  const [snapshot] = table?.metadata.snapshots ?? []
  assert.equal(snapshot?.summary['total-records'], String(table?.rows.length))
}

test('eraseInIceberg - the former life goes from files, history and orphans; all else stays', async () => {
  const lake = await createFilledLake()
  const { rows, refused } = await lake.erase()
  assert.deepEqual([...rows], [['warehouse.score_history', 2]])
  assert.deepEqual(refused, [])
  await assertErased(lake)
  const table = await lake.table()
  const [snapshot] = table?.metadata.snapshots ?? []
  assert.equal(snapshot?.summary['kafka.connect.offsets.control.g'], '{"0":3}')
  assert.equal(snapshot?.summary['total-data-files'], '2')
  // The manifest that nothing was taken out of is the same, and keeps its sequence number.
  const kept = table?.manifests.find((one) => one.manifest_path.endsWith('m-3.avro'))
  assert.equal(kept?.sequence_number, 3n)
  const before = new Map(lake.objects)
  await lake.erase()
  assert.deepEqual(lake.objects, before)
})

test('eraseInIceberg - wherever it breaks, called again it gets to the same end', async () => {
  let failures = 0
  for (let calls = 0; ; calls++) {
    const lake = await createFilledLake()
    lake.failAfter(calls)
    const isThrough = await lake.erase().then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof TransientError)
        return false
      },
    )
    lake.failAfter(Infinity)
    if (!isThrough) {
      failures++
      assert.ok((await lake.rows()).length >= left.length, 'a row of others is missing')
      await lake.erase()
    }
    await assertErased(lake)
    if (isThrough) break
  }
  assert.ok(failures > 40, `${failures} failures`)
})

test('eraseInIceberg - what the sink commits in between stays, and its word on offsets too', async () => {
  const lake = await createFilledLake()
  const data = await lake.parquetOf([
    ['p-5', 20],
    ['p-1', 99],
  ])
  lake.beFaster(() => lake.append(data, 2))
  await lake.erase()
  await assertErased(lake, ['p-5@20'])
  const [snapshot] = (await lake.table())?.metadata.snapshots ?? []
  assert.equal(snapshot?.summary['kafka.connect.offsets.control.g'], '{"0":4}')
})

test('eraseInIceberg - what the erasure of another player is about to commit stays, for an hour', async () => {
  const lake = await createFilledLake()
  const data = await lake.parquetOf([['p-1', 15]])
  const [fresh, old] = [Date.now(), Date.now() - 2 * 60 * 60_000].map(
    (at) => `${location}/data/${at}-a-kept.parquet`,
  ) as [string, string]
  for (const path of [fresh, old]) lake.objects.set(path, data)
  await lake.erase()
  assert.deepEqual([lake.objects.has(fresh), lake.objects.has(old)], [true, false])
  await assertErased(lake)
})

test('eraseInIceberg - a table whose history somebody keeps is refused with what to do', async () => {
  const lake = await createFilledLake()
  const refs = {
    main: { 'snapshot-id': 1, type: 'branch' },
    audit: { 'snapshot-id': 1, type: 'tag' },
  }
  lake.append(await lake.parquetOf([['p-6', 30]]), 1, { refs })
  const before = await lake.rows()
  const { refused } = await lake.erase()
  assert.deepEqual(refused, [
    'iceberg/warehouse.score_history: the branch or tag audit keeps its history: drop it',
  ])
  assert.deepEqual(await lake.rows(), before)
})
