// How are Avro's bytes read one value at a time?
import type avro from 'avsc'

/** Where a reading stands. Reading past the end throws. */
export class Cursor {
  #bytes: Buffer = Buffer.alloc(0)
  #view = new DataView(this.#bytes.buffer)
  /** The next byte. */
  at = 0

  /** Begins at a byte of other bytes; one cursor serves for all of them. */
  open(bytes: Buffer, at: number): void {
    // Records of one fetch share their memory.
    if (this.#view.buffer !== bytes.buffer) this.#view = new DataView(bytes.buffer)
    this.#bytes = bytes
    this.at = at
  }

  skip(length: number): void {
    // The negation also catches NaN, which an endless varint becomes.
    if (!(length >= 0 && this.at + length <= this.#bytes.length)) throw this.#ended()
    this.at += length
  }

  float(): number {
    const from = this.at
    this.skip(4)
    return this.#view.getFloat32(this.#bytes.byteOffset + from, true)
  }

  double(): number {
    const from = this.at
    this.skip(8)
    return this.#view.getFloat64(this.#bytes.byteOffset + from, true)
  }

  /** A zigzag varint, rounded when it is no safe integer. */
  long(): number {
    const byte = this.#bytes[this.at] as number
    if (!(byte < 0x80)) return this.#longer()
    this.at++
    return (byte >>> 1) ^ -(byte & 1)
  }

  #longer(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at]
      if (byte === undefined) throw this.#ended()
      this.at++
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  string(): string {
    const length = this.long()
    const from = this.at
    this.skip(length)
    return this.#bytes.toString('utf8', from, this.at)
  }

  /** Which of these texts follows; -1 for another one. */
  oneOf(texts: readonly Uint8Array[]): number {
    const length = this.long()
    const from = this.at
    this.skip(length)
    for (let index = 0; index < texts.length; index++) {
      const text = texts[index] as Uint8Array
      if (text.length !== length) continue
      let same = 0
      while (same < length && text[same] === this.#bytes[from + same]) same++
      if (same === length) return index
    }
    return -1
  }

  /** Skips nullable doubles that stand in a row, the form of nearly every feature. */
  skipNullableDoubles(count: number): void {
    let at = this.at
    for (let index = 0; index < count; index++) {
      const branch = this.#bytes[at]
      if (branch === 2) at += 9
      else if (branch === 0) at++
      else at = this.#nullableDoubleEnd(at)
    }
    if (at > this.#bytes.length) throw this.#ended()
    this.at = at
  }

  /** Puts nullable doubles that stand in a row at start + columns; null leaves what is there. */
  fillNullableDoubles(columns: Int32Array, rows: Float32Array, start: number): void {
    for (let index = 0; index < columns.length; index++) {
      if (this.branch(2) === 0) continue
      const column = columns[index] as number
      if (column < 0) this.skip(8)
      else rows[start + column] = this.double()
    }
  }

  #nullableDoubleEnd(at: number): number {
    this.at = at
    return this.branch(2) === 0 ? this.at : this.at + 8
  }

  /** The branch of a union. */
  branch(count: number): number {
    const branch = this.long()
    if (!(branch >= 0 && branch < count)) throw new Error(`a union has no branch ${branch}`)
    return branch
  }

  #ended(): Error {
    return new Error(`the body ends early, at ${this.#bytes.length} bytes`)
  }
}

export type Read = (cursor: Cursor) => number | string | null
export type Skip = (cursor: Cursor) => void

/**
 * Reads what Avro promotes to a number or a text, and unions of such.
 * @throws Error for every other type
 */
export function readerOf(type: avro.Type): Read {
  switch (type.typeName) {
    case 'null':
      return () => null
    case 'int':
    case 'long':
      return (cursor) => cursor.long()
    case 'float':
      return (cursor) => cursor.float()
    case 'double':
      return (cursor) => cursor.double()
    case 'string':
    case 'bytes':
      return (cursor) => cursor.string()
    default: {
      if (!isUnion(type)) throw new Error(`a field is a ${type.typeName}, not a number or a text`)
      const reads = type.types.map(readerOf)
      return (cursor) => (reads[cursor.branch(reads.length)] as Read)(cursor)
    }
  }
}

/** Reads which of these texts a category is, -1 for null and for another one. */
export type ReadLevel = (cursor: Cursor, texts: readonly Uint8Array[]) => number

/** @throws Error for a type that Avro does not promote to a text or null */
export function levelReaderOf(type: avro.Type): ReadLevel {
  switch (type.typeName) {
    case 'null':
      return () => -1
    case 'string':
    case 'bytes':
      return (cursor, texts) => cursor.oneOf(texts)
    default: {
      if (!isUnion(type)) throw new Error(`a field is a ${type.typeName}, not a text`)
      const reads = type.types.map(levelReaderOf)
      return (cursor, texts) => (reads[cursor.branch(reads.length)] as ReadLevel)(cursor, texts)
    }
  }
}

/** Skips a value of any type. `known` ends the recursion of types that contain themselves. */
export function skipperOf(type: avro.Type, known = new Map<avro.Type, Skip>()): Skip {
  const earlier = known.get(type)
  if (earlier !== undefined) return earlier
  let skip: Skip | undefined
  known.set(type, (cursor) => (skip as Skip)(cursor))
  skip = makeSkipper(type, known)
  known.set(type, skip)
  return skip
}

function makeSkipper(type: avro.Type, known: Map<avro.Type, Skip>): Skip {
  switch (type.typeName) {
    case 'null':
      return () => {}
    case 'boolean':
      return (cursor) => cursor.skip(1)
    case 'int':
    case 'long':
    case 'enum':
      return (cursor) => void cursor.long()
    case 'float':
      return (cursor) => cursor.skip(4)
    case 'double':
      return (cursor) => cursor.skip(8)
    case 'string':
    case 'bytes':
      return (cursor) => cursor.skip(cursor.long())
    case 'fixed': {
      const { size } = type as avro.types.FixedType
      return (cursor) => cursor.skip(size)
    }
    case 'array':
      return blocksOf(skipperOf((type as avro.types.ArrayType).itemsType, known))
    case 'map': {
      const value = skipperOf((type as avro.types.MapType).valuesType, known)
      return blocksOf((cursor) => {
        cursor.skip(cursor.long())
        value(cursor)
      })
    }
    case 'record':
    case 'error': {
      const { fields } = type as avro.types.RecordType
      const skips = fields.map((field) => skipperOf(field.type, known))
      return (cursor) => {
        for (const skip of skips) skip(cursor)
      }
    }
    default: {
      if (!isUnion(type)) throw new Error(`${type.typeName} is no type of Avro`)
      const skips = type.types.map((branch) => skipperOf(branch, known))
      return (cursor) => (skips[cursor.branch(skips.length)] as Skip)(cursor)
    }
  }
}

/** Arrays and maps come in blocks; a negative count is followed by the block's size in bytes. */
function blocksOf(item: Skip): Skip {
  return (cursor) => {
    for (let count = cursor.long(); count !== 0; count = cursor.long()) {
      if (count < 0) {
        cursor.skip(cursor.long())
        continue
      }
      for (let index = 0; index < count; index++) {
        const from = cursor.at
        item(cursor)
        // Items without bytes: their number is all there is of them, and may be any.
        if (cursor.at === from) break
      }
    }
  }
}

export function isUnion(type: avro.Type): type is avro.types.UnwrappedUnionType {
  return type.typeName.startsWith('union:')
}
