// How is a record written as Avro, by code made for its schema?
import type avro from 'avsc'

const slabBytes = 1 << 20
/** What the optimising compiler turns into a handful of instructions: longer ones go to native code. */
const shortChars = 64
/** avsc reads no more; further down, twice a number and one more is no exact float64. */
const longs = { least: -(2 ** 52), most: 2 ** 53 - 2 } as const

/**
 * Bytes that values are written into, one behind the other. One that does not fit moves on to another
 * slab; those before it stay as they are. The writing methods throw a TypeError for what they can't
 * write.
 */
export class Slab {
  #bytes = Buffer.allocUnsafeSlow(slabBytes)
  #view = viewOf(this.#bytes)
  #start = 0
  #at = 0

  /** Begins a value, and forgets one that was not taken. */
  begin(): void {
    this.#at = this.#start
  }

  /** The value as it was written since begin. */
  take(): Buffer {
    const value = this.#bytes.subarray(this.#start, this.#at)
    this.#start = this.#at
    return value
  }

  /** As they are, without a length. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** Of a block's end, of a union's branch: from 0 to 63. */
  index(index: number): void {
    this.#room(1)
    this.#bytes[this.#at++] = index << 1
  }

  null(value: unknown): void {
    if (value !== null) misfit(value)
  }

  boolean(value: unknown): void {
    if (typeof value !== 'boolean') misfit(value)
    this.#room(1)
    this.#bytes[this.#at++] = value ? 1 : 0
  }

  int(value: unknown): void {
    if (typeof value !== 'number' || (value | 0) !== value) misfit(value)
    this.long(value)
  }

  /** Zigzag and seven bits a byte, the least first. */
  long(value: unknown): void {
    if (!isLong(value)) misfit(value)
    this.#room(10)
    const bytes = this.#bytes
    let at = this.#at
    if (value >= -(2 ** 30) && value < 2 ** 30) {
      let rest = (value << 1) ^ (value >> 31)
      for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128
      bytes[at++] = rest
    } else {
      let rest = value >= 0 ? value * 2 : -value * 2 - 1
      for (; rest > 127; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
      bytes[at++] = rest
    }
    this.#at = at
  }

  float(value: unknown): void {
    if (typeof value !== 'number') misfit(value)
    this.#room(4)
    this.#view.setFloat32(this.#at, value, true)
    this.#at += 4
  }

  double(value: unknown): void {
    if (typeof value !== 'number') misfit(value)
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  bytes(value: unknown): void {
    if (!Buffer.isBuffer(value)) misfit(value)
    this.long(value.length)
    this.raw(value)
  }

  string(value: unknown): void {
    if (typeof value !== 'string') misfit(value)
    const { length } = value
    if (length < shortChars && this.#ascii(value, length)) return
    const size = Buffer.byteLength(value)
    this.long(size)
    this.#room(size)
    this.#at += this.#bytes.write(value, this.#at)
  }

  /** Whether it was written, for it has nothing but ASCII. */
  #ascii(value: string, length: number): boolean {
    this.#room(length + 1)
    const bytes = this.#bytes
    let at = this.#at
    bytes[at++] = length << 1
    for (let index = 0; index < length; index++) {
      const char = value.charCodeAt(index)
      if (char > 127) return false
      bytes[at++] = char
    }
    this.#at = at
    return true
  }

  #room(size: number): void {
    if (this.#at + size > this.#bytes.length) this.#moveOn(size)
  }

  #moveOn(size: number): void {
    const written = this.#at - this.#start
    const next = Buffer.allocUnsafeSlow(Math.max(slabBytes, 2 * (written + size)))
    this.#bytes.copy(next, 0, this.#start, this.#at)
    this.#bytes = next
    this.#view = viewOf(next)
    this.#start = 0
    this.#at = written
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView =>
  new DataView(buffer, byteOffset, length)

const isLong = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= longs.least && (value as number) <= longs.most

function misfit(value: unknown): never {
  throw new TypeError(`does not fit: ${String(value)}`)
}

/** @throws TypeError when the value is not of the schema, or has a long that it can't write exactly */
export type Write = (slab: Slab, value: unknown) => void

/**
 * Statements in the order of the schema's fields, without a look at the schema while they run.
 * @throws Error when the schema has something that no schema of ours has yet
 */
export function writerOf(type: avro.Type): Write {
  // As avsc does it for its own: a loop over fields would look up each name again for each value.
  // oxlint-disable-next-line no-new-func, no-implied-eval
  return new Function('slab', 'value', statements(type, 'value', 0)) as Write
}

function statements(type: avro.Type, value: string, depth: number): string {
  const { typeName } = type
  switch (typeName) {
    case 'null':
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'bytes':
    case 'string':
      return `slab.${typeName}(${value});`
    case 'record':
      return (type as avro.types.RecordType).fields
        .map((field) => statements(field.type, `${value}.${field.name}`, depth))
        .join('\n')
    case 'array': {
      const { itemsType } = type as avro.types.ArrayType
      const [items, index] = [`items${depth}`, `index${depth}`]
      return `{
        const ${items} = ${value};
        if (${items}.length > 0) slab.long(${items}.length);
        for (let ${index} = 0; ${index} < ${items}.length; ${index}++) {
          ${statements(itemsType, `${items}[${index}]`, depth + 1)}
        }
        slab.index(0);
      }`
    }
    case 'union:unwrapped': {
      const { types } = type as avro.types.UnwrappedUnionType
      const none = types.findIndex((branch) => branch.typeName === 'null')
      const other = types[1 - none]
      if (types.length !== 2 || other === undefined) break
      const some = `some${depth}`
      return `{
        const ${some} = ${value};
        if (${some} === null) slab.index(${none});
        else { slab.index(${1 - none}); ${statements(other, some, depth + 1)} }
      }`
    }
    default:
  }
  throw new Error(`no record is written with ${typeName} yet: ${JSON.stringify(type.schema())}`)
}
