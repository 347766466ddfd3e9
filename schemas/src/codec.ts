// How do bytes become a record, and a record bytes?
import avro from 'avsc'
import { schemaText, type RecordName, type Records } from './records.ts'

/** Confluent's wire format: this byte, the schema id as a big-endian int32, then the Avro body. */
export const magicByte = 0
export const headerBytes = 5

// avsc writes twice when a value outgrows its shared buffer (1 KiB unless told).
;(avro.Type as unknown as { __reset(sizeBytes: number): void }).__reset(65_536)

export type DecodeReason =
  'null-value' | 'not-framed' | 'unknown-schema-id' | 'incompatible-schema' | 'undecodable'

/** Why bytes are no record. Poison: it is about this record and will not heal by itself. */
export class DecodeProblem {
  readonly reason: DecodeReason
  readonly detail: string
  constructor(reason: DecodeReason, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

/** Unions stay bare (`null | number`), longs are JavaScript numbers within the safe range. */
export function typeOf(schema: string | object): avro.Type {
  const parsed: unknown = typeof schema === 'string' ? JSON.parse(schema) : schema
  return avro.Type.forSchema(parsed as avro.Schema, { wrapUnions: false })
}

/** The schema id that framed bytes name, or why they are not framed. */
export function schemaIdOf(value: Buffer | null): number | DecodeProblem {
  if (value === null) return new DecodeProblem('null-value', 'the value is null')
  if (value.length < headerBytes || value[0] !== magicByte) {
    const start = value.subarray(0, 8).toString('hex')
    return new DecodeProblem(
      'not-framed',
      `expected byte 00 and a 4-byte schema id, got ${value.length} bytes starting ${start || 'empty'}`,
    )
  }
  return value.readInt32BE(1)
}

const slabBytes = 1 << 20

/** Encodes records of one kind. Values share a slab, so a value stays valid but pins its slab. */
export class Encoder<N extends RecordName> {
  readonly #type: avro.Type
  readonly #schemaId: number
  #slab = Buffer.allocUnsafeSlow(slabBytes)
  #used = 0

  constructor(name: N, schemaId: number) {
    this.#type = typeOf(schemaText(name))
    this.#schemaId = schemaId
  }

  /** @throws Error when the value does not fit the schema: a bug, not poison. */
  encode(value: Records[N]): Buffer {
    let end = this.#tryEncode(value)
    if (end < 0) {
      // A negative position says by how many bytes the slab was too short.
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, headerBytes - end + slabBytes))
      this.#used = 0
      end = this.#tryEncode(value)
    }
    const framed = this.#slab.subarray(this.#used, end)
    framed[0] = magicByte
    framed.writeInt32BE(this.#schemaId, 1)
    this.#used = end
    return framed
  }

  #tryEncode(value: Records[N]): number {
    const start = this.#used + headerBytes
    if (start >= this.#slab.length) return -1
    return this.#type.encode(value, this.#slab, start)
  }
}

/** What turns framed bytes into values, once it has learnt the schema that they name. */
export interface RecordDecoder<V> {
  knows(schemaId: number): boolean
  /** Makes records of this writer schema readable, or says for ever why they are not. */
  learn(schemaId: number, writer: avro.Type | DecodeProblem): void
  forget(schemaId: number): void
  /** @throws Error when the schema id was never learnt: the caller must ask the registry first. */
  decode(value: Buffer | null): V | DecodeProblem
}

/** Decodes records of one kind, whichever compatible schema they were written with. */
export class Decoder<N extends RecordName> implements RecordDecoder<Records[N]> {
  readonly #reader: avro.Type
  readonly #writers = new Map<number, { type: avro.Type; resolver: unknown } | DecodeProblem>()

  constructor(name: N) {
    this.#reader = typeOf(schemaText(name))
  }

  knows(schemaId: number): boolean {
    return this.#writers.has(schemaId)
  }

  learn(schemaId: number, writer: avro.Type | DecodeProblem): void {
    if (writer instanceof DecodeProblem) {
      this.#writers.set(schemaId, writer)
      return
    }
    try {
      const resolver = this.#reader.createResolver(writer)
      this.#writers.set(schemaId, { type: writer, resolver })
    } catch (error) {
      const detail = `schema ${schemaId} cannot be read as ${this.#reader.name}: ${messageOf(error)}`
      this.#writers.set(schemaId, new DecodeProblem('incompatible-schema', detail))
    }
  }

  forget(schemaId: number): void {
    this.#writers.delete(schemaId)
  }

  decode(value: Buffer | null): Records[N] | DecodeProblem {
    const schemaId = schemaIdOf(value)
    if (schemaId instanceof DecodeProblem) return schemaId
    const writer = this.#writers.get(schemaId)
    if (writer === undefined) throw new Error(`schema ${schemaId} was not learnt before decoding`)
    if (writer instanceof DecodeProblem) return writer
    const bytes = value as Buffer
    try {
      const { value: record, offset } = this.#reader.decode(
        bytes,
        headerBytes,
        writer.resolver as never,
      ) as { value: Records[N] | undefined; offset: number }
      if (record === undefined || offset < 0) {
        return new DecodeProblem('undecodable', `the body ends early, at ${bytes.length} bytes`)
      }
      if (offset !== bytes.length) {
        return new DecodeProblem(
          'undecodable',
          `${bytes.length - offset} bytes follow the record of schema ${schemaId}`,
        )
      }
      return record
    } catch (error) {
      return new DecodeProblem('undecodable', messageOf(error))
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
