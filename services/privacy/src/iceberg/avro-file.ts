// What stands in an Avro file, and how is another one of its kind written?
import avsc, { type Schema, type Type } from 'avsc'
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** An object container file; its header says more than the schema. */
export interface AvroFile<T> {
  /** With attributes that Avro does not know, the ids of Iceberg's fields for one. */
  readonly schema: Schema
  readonly metadata: Readonly<Record<string, Buffer>>
  readonly records: readonly T[]
}

const magic = Buffer.from('Obj\u0001')
const sync = { name: 'Sync', type: 'fixed', size: 16 } as const
/** https://avro.apache.org/docs/1.12.0/specification/#object-container-files */
const headerType = avsc.Type.forSchema({
  type: 'record',
  name: 'Header',
  fields: [
    { name: 'magic', type: { name: 'Magic', type: 'fixed', size: magic.length } },
    { name: 'metadata', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: sync },
  ],
})
const blockType = avsc.Type.forSchema({
  type: 'record',
  name: 'Block',
  fields: [
    { name: 'count', type: 'long' },
    { name: 'bytes', type: 'bytes' },
    { name: 'sync', type: sync },
  ],
})
const [schemaName, codecName] = ['avro.schema', 'avro.codec']

/** Longs are bigints: ids of snapshots use all of their bits. */
function typeOf(schema: Schema): Type {
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer(value: bigint) {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(value)
      return bytes
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b)),
  })
  return avsc.Type.forSchema(schema, { registry: { long } })
}

/** The content of its blocks, decompressed. @throws Error when it is no such file */
export function readBlocks(file: Buffer) {
  const decoded = headerType.decode(file)
  const header = decoded.value as { magic: Buffer; metadata: Record<string, Buffer> } | undefined
  if (header === undefined || !magic.equals(header.magic)) throw new Error('no file of Avro')
  const { [schemaName]: schema, [codecName]: codecBytes, ...metadata } = header.metadata
  const codec = codecBytes?.toString() ?? 'null'
  if (codec !== 'null' && codec !== 'deflate') throw new Error(`compressed with ${codec}`)
  const blocks: { readonly count: number; readonly bytes: Buffer }[] = []
  for (let at = decoded.offset; at < file.length;) {
    const next = blockType.decode(file, at)
    if (next.offset < 0) throw new Error('a file of Avro that ends in the middle')
    const { count, bytes } = next.value as { count: number; bytes: Buffer }
    blocks.push({ count, bytes: codec === 'null' ? bytes : inflateRawSync(bytes) })
    at = next.offset
  }
  return { schema: JSON.parse(String(schema)) as Schema, metadata, blocks }
}

/** @throws Error when it is no such file */
export function readAvroFile<T>(file: Buffer): AvroFile<T> {
  const { schema, metadata, blocks } = readBlocks(file)
  const type = typeOf(schema)
  const records: T[] = []
  for (const { count, bytes } of blocks) {
    for (let left = count, at = 0; left > 0; left--) {
      const { value, offset } = type.decode(bytes, at)
      records.push(value as T)
      at = offset
    }
  }
  return { schema, metadata, records }
}

/** @throws Error when a record does not fit the schema */
export function writeAvroFile<T>({ schema, metadata, records }: AvroFile<T>): Buffer {
  const type = typeOf(schema)
  const marker = Buffer.from(crypto.getRandomValues(new Uint8Array(sync.size)))
  const header = headerType.toBuffer({
    magic,
    metadata: {
      ...metadata,
      [schemaName]: Buffer.from(JSON.stringify(schema)),
      [codecName]: Buffer.from('deflate'),
    },
    sync: marker,
  })
  const bytes = deflateRawSync(Buffer.concat(records.map((record) => type.toBuffer(record))))
  return Buffer.concat([header, blockType.toBuffer({ count: records.length, bytes, sync: marker })])
}
