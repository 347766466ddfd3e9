// How are Avro's bytes read one value at a time?
import type avro from 'avsc'

/** Where a reading stands. Reading past the end throws. */
export class Cursor {
  bytes: Buffer
  at: number
  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  skip(length: number): void {
    if (length < 0 || this.at + length > this.bytes.length) throw ended(this.bytes)
    this.at += length
  }

  double(): number {
    const from = this.at
    this.skip(8)
    return this.bytes.readDoubleLE(from)
  }

  /** A zigzag varint within the safe integers. */
  long(): number {
    let [value, factor] = [0, 1]
    for (let length = 0; length < 10; length++) {
      const byte = this.bytes[this.at]
      if (byte === undefined) throw ended(this.bytes)
      this.at++
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (value > 2 * Number.MAX_SAFE_INTEGER) break
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      }
      factor *= 128
    }
    throw new Error(`no safe integer at byte ${this.at}`)
  }

  string(): string {
    const length = this.long()
    const from = this.at
    this.skip(length)
    return this.bytes.toString('utf8', from, this.at)
  }

  /** The branch of a union. */
  branch(count: number): number {
    const branch = this.long()
    if (branch < 0 || branch >= count) throw new Error(`a union has no branch ${branch}`)
    return branch
  }
}

const ended = (bytes: Buffer) => new Error(`the body ends early, at ${bytes.length} bytes`)

export type Read = (cursor: Cursor) => unknown

/** Reads a value of the type; what is neither number, text nor null is skipped. */
export function readerOf(type: avro.Type): Read {
  const name = type.typeName
  switch (name) {
    case 'null':
      return () => null
    case 'boolean':
      return (cursor) => cursor.skip(1)
    case 'int':
    case 'long':
      return (cursor) => cursor.long()
    case 'float':
      return (cursor) => {
        const from = cursor.at
        cursor.skip(4)
        return cursor.bytes.readFloatLE(from)
      }
    case 'double':
      return (cursor) => cursor.double()
    case 'string':
      return (cursor) => cursor.string()
    case 'bytes':
      return (cursor) => cursor.skip(cursor.long())
    case 'enum':
      return (cursor) => void cursor.long()
    case 'fixed': {
      const { size } = type as avro.types.FixedType
      return (cursor) => cursor.skip(size)
    }
    case 'array':
      return blocksOf(readerOf((type as avro.types.ArrayType).itemsType))
    case 'map': {
      const value = readerOf((type as avro.types.MapType).valuesType)
      return blocksOf((cursor) => {
        cursor.skip(cursor.long())
        value(cursor)
      })
    }
    case 'record': {
      const reads = (type as avro.types.RecordType).fields.map((field) => readerOf(field.type))
      return (cursor) => {
        for (const read of reads) read(cursor)
      }
    }
    default: {
      if (name.startsWith('logical:')) {
        return readerOf((type as avro.types.LogicalType).underlyingType)
      }
      const reads = (type as avro.types.UnwrappedUnionType).types.map(readerOf)
      return (cursor) => (reads[cursor.branch(reads.length)] as Read)(cursor)
    }
  }
}

/** Arrays and maps come in blocks; a negative count is followed by the block's size in bytes. */
function blocksOf(item: Read): Read {
  return (cursor) => {
    for (let count = cursor.long(); count !== 0; count = cursor.long()) {
      if (count < 0) {
        cursor.skip(cursor.long())
        continue
      }
      for (let index = 0; index < count; index++) item(cursor)
    }
  }
}
