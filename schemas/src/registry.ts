// What does the schema registry say of a subject or an id?
import { createRequire } from 'node:module'
import type { SchemaRegistry as Client } from '@kafkajs/confluent-schema-registry'
import { DecodeProblem, Encoder, schemaIdOf, typeOf, type RecordDecoder } from './codec.ts'
import { schemaText, type RecordName } from './records.ts'

const require = createRequire(import.meta.url)
const { SchemaRegistry, SchemaType, COMPATIBILITY } =
  require('@kafkajs/confluent-schema-registry') as typeof import('@kafkajs/confluent-schema-registry')

/** The registry could not be asked. About the world, not about a record: try again later. */
export class RegistryUnavailable extends Error {
  override name = 'RegistryUnavailable'
}

/** The registry refused a schema. Fatal: this build must not run against that subject. */
export class SchemaRefused extends Error {
  override name = 'SchemaRefused'
}

const answerWithinMs = 10_000
const beatenTries = 20
const beatenWaitMs = 100

export interface RegistryOptions {
  readonly url: string
  /** Basic authentication. */
  readonly auth?: { readonly username: string; readonly password: string }
  /** How long registering or reading a schema may take; 10 s unless told. */
  readonly answerWithinMs?: number
  /** How long an id that the registry does not know is asked for: its producer may have raced it. */
  readonly unknownIdBudgetMs?: number
  /** How long an id stays refused before the registry is asked again. */
  readonly unknownIdRememberedMs?: number
}

/** Registers what we write and fetches what others wrote. */
export class Schemas {
  readonly #open: () => Client
  readonly #answerWithinMs: number
  readonly #budgetMs: number
  readonly #rememberedMs: number
  readonly #refusedUntil = new Map<number, number>()
  #client: Client

  constructor(options: RegistryOptions) {
    this.#answerWithinMs = options.answerWithinMs ?? answerWithinMs
    this.#open = () =>
      new SchemaRegistry({
        host: options.url,
        ...(options.auth === undefined ? {} : { auth: options.auth }),
        retry: { retries: 0 },
        clientId: 'churnstream',
        middlewares: [timeOut(this.#answerWithinMs)],
      })
    this.#client = this.#open()
    this.#budgetMs = options.unknownIdBudgetMs ?? 8_000
    this.#rememberedMs = options.unknownIdRememberedMs ?? 60_000
  }

  /**
   * Registers a record's schema under `<topic>-value` with BACKWARD compatibility; the same schema
   * twice gives the same id.
   * @throws SchemaRefused when an older registered schema cannot be read with ours
   * @throws RegistryUnavailable when the registry does not answer
   */
  async register(name: RecordName, topic: string): Promise<number> {
    const subject = `${topic}-value`
    for (let triesLeft = beatenTries; ; triesLeft--) {
      try {
        const { id } = await this.#ask((client) =>
          client.register(
            { type: SchemaType.AVRO, schema: schemaText(name) },
            { subject, compatibility: COMPATIBILITY.BACKWARD },
          ),
        )
        return id
      } catch (error) {
        if (isUnavailable(error)) throw unavailable(`registering ${subject}`, error)
        if (!isBeatenTo(error) || triesLeft === 0) {
          throw new SchemaRefused(
            `the registry refuses ${name}.avsc for ${subject}: ${messageOf(error)}. ` +
              'Make the change backward compatible (give new fields a default) or use a new topic.',
            { cause: error },
          )
        }
        await new Promise((resolve) => setTimeout(resolve, beatenWaitMs))
      }
    }
  }

  /** Of the records that are written to a topic: registered as `register` does. */
  async encoderOf<N extends RecordName>(topic: {
    readonly name: string
    readonly record: N
  }): Promise<Encoder<N>> {
    return new Encoder(topic.record, await this.register(topic.record, topic.name))
  }

  /**
   * Teaches the decoder every schema id that the values name, so that decoding stays synchronous.
   * An id unknown to the registry is asked for within the budget, then remembered as a problem.
   * @throws RegistryUnavailable when the registry does not answer
   */
  async prepare(
    decoder: RecordDecoder<unknown>,
    values: Iterable<Buffer | null>,
    signal?: AbortSignal,
  ): Promise<void> {
    const now = Date.now()
    for (const [schemaId, until] of this.#refusedUntil) {
      if (until > now) continue
      this.#refusedUntil.delete(schemaId)
      decoder.forget(schemaId)
    }
    const missing = new Set<number>()
    for (const value of values) {
      const schemaId = schemaIdOf(value)
      if (schemaId instanceof DecodeProblem || decoder.knows(schemaId)) continue
      missing.add(schemaId)
    }
    if (missing.size === 0) return
    await Promise.all(
      [...missing].map(async (schemaId) =>
        decoder.learn(schemaId, await this.#fetch(schemaId, signal)),
      ),
    )
  }

  /**
   * Apicurio leaves a request in some tens of thousands unanswered. The client has no timeout, never
   * settles when an answer breaks off in its middle, and gives who asks again for a schema the same
   * request: it is left behind then, and another takes its place.
   */
  async #ask<T>(call: (client: Client) => Promise<T>): Promise<T> {
    const asked = this.#client
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        if (this.#client === asked) this.#client = this.#open()
        reject(new Error(`timeout: no answer within ${this.#answerWithinMs} ms`))
      }, this.#answerWithinMs)
    })
    try {
      return await Promise.race([call(asked), silence])
    } finally {
      clearTimeout(timer)
    }
  }

  async #fetch(
    schemaId: number,
    signal?: AbortSignal,
  ): Promise<ReturnType<typeof typeOf> | DecodeProblem> {
    const deadline = Date.now() + this.#budgetMs
    for (;;) {
      if (!this.#refusedUntil.has(schemaId)) {
        try {
          // The client compiles with its own options; ours must not wrap unions.
          const schema = await this.#ask((client) => client.getSchema(schemaId))
          return typeOf((schema as unknown as AvroSchema).schema({ exportAttrs: true }))
        } catch (error) {
          if (isUnavailable(error)) throw unavailable(`reading schema ${schemaId}`, error)
        }
      }
      if (this.#refusedUntil.has(schemaId) || Date.now() >= deadline || signal?.aborted) {
        this.#refusedUntil.set(schemaId, Date.now() + this.#rememberedMs)
        return new DecodeProblem(
          'unknown-schema-id',
          `the registry knows no schema ${schemaId} (asked for ${this.#budgetMs} ms)`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

type Middlewares = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]['middlewares']>

/** Ends a request whose registry holds the connection and is silent. */
const timeOut =
  (timeoutMs: number): Middlewares[number] =>
  () => ({
    request: (request) => request.enhance({ timeout: timeoutMs }),
  })

interface AvroSchema {
  schema(options: { exportAttrs: boolean }): object
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null)?.status
  return typeof status === 'number' ? status : undefined
}

// The client reports an HTTP answer by its status and a lost connection as an odd one (400, no body).
function isUnavailable(error: unknown): boolean {
  const status = statusOf(error)
  if (status !== undefined && (status >= 500 || status === 429 || status === 401 || status === 403))
    return true
  return /ECONN|ETIMEDOUT|ENOTFOUND|EPIPE|socket|network|timeout|fetch failed/i.test(
    messageOf(error),
  )
}

/**
 * Two services that write the same topic make its subject at once: one finds a half-made one, and a
 * moment later it is whole.
 */
const isBeatenTo = (error: unknown): boolean =>
  /already exists|Compatibility does not match/.test(messageOf(error))

function unavailable(attempt: string, error: unknown): RegistryUnavailable {
  return new RegistryUnavailable(`${attempt}: ${messageOf(error)}`, { cause: error })
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
