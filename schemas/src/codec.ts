// How do bytes become a record, and a record bytes?
import avro from 'avsc'
import { schemaText, type RecordName, type Records } from './records.ts'
import { Slab, writerOf, type Write } from './write.ts'

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

/** Encodes records of one kind. Values share a slab, so a value stays valid but pins its slab. */
export class Encoder<N extends RecordName> {
  readonly #type: avro.Type
  readonly #write: Write
  readonly #frame: Buffer
  readonly #slab = new Slab()

  constructor(name: N, schemaId: number) {
    this.#type = typeOf(schemaText(name))
    this.#write = writerOf(this.#type)
    this.#frame = Buffer.alloc(headerBytes, magicByte)
    this.#frame.writeInt32BE(schemaId, 1)
  }

  /** @throws Error when the value does not fit the schema: a bug, not poison. */
  encode(value: Records[N]): Buffer {
    const slab = this.#slab
    slab.begin()
    slab.raw(this.#frame)
    try {
      this.#write(slab, value)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      // avsc writes what we can't, or says what is wrong where.
      const body = this.#type.toBuffer(value)
      slab.begin()
      slab.raw(this.#frame)
      slab.raw(body)
    }
    return slab.take()
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
