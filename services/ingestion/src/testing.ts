// Which broker, clock and log do ingestion's tests run with? None but memory.
import {
  Health,
  createMetrics,
  noTracing,
  type Log,
  type OutgoingRecord,
  type Placed,
  type Producer,
  type Span,
} from '@churnstream/runtime'
import { DecodeProblem, Decoder, Encoder, schemaText, typeOf } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import type { FastifyInstance } from 'fastify'
import { Allowance, type AllowanceSettings } from './core/allowance.ts'
import { createIngestionMetrics, type IngestionMetrics } from './metrics.ts'
import { createServer, type ServerOptions } from './server.ts'
import { createWriter, type Writer, type WriterOptions } from './writer.ts'

export const nowMs = Date.UTC(2026, 10, 1)
export const knownSchemaId = 7

const unbounded: AllowanceSettings = { eventsPerSecond: 0, burstEvents: 1 }
const quiet = () => undefined
export const quietLog = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log

/** A broker in memory whose answers can be held back or replaced by an error. */
export class FakeBroker {
  readonly sends: (readonly OutgoingRecord[])[] = []
  readonly #ends = new Map<number, bigint>()
  opened = 0
  closed = 0
  openError: Error | undefined
  sendError: Error | undefined
  #held: PromiseWithResolvers<void> | undefined

  hold(): void {
    this.#held = Promise.withResolvers()
  }
  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }
  get records(): OutgoingRecord[] {
    return this.sends.flat()
  }

  readonly open = async (): Promise<Producer> => {
    if (this.openError) throw this.openError
    this.opened++
    return {
      send: async (records) => {
        await this.#held?.promise
        if (this.sendError) throw this.sendError
        this.sends.push(records)
        return records.map(({ partition }): Placed => {
          const offset = this.#ends.get(partition) ?? 0n
          this.#ends.set(partition, offset + 1n)
          return { partition, offset }
        })
      },
      close: async () => void this.closed++,
    }
  }
}

export interface Rig extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly broker: FakeBroker
  readonly writer: Writer
  readonly health: Health
  readonly metrics: IngestionMetrics
  readonly fatal: unknown[]
  readonly spans: readonly Span[]
}

export async function createRig(
  options: Partial<WriterOptions> & {
    schemas?: ServerOptions['schemas']
    keys?: ServerOptions['keys']
    toPseudonym?: ServerOptions['toPseudonym']
    allowance?: AllowanceSettings
    traceShare?: number
    awaitProducer?: boolean
  } = {},
): Promise<Rig> {
  const {
    schemas,
    keys,
    toPseudonym,
    allowance = unbounded,
    traceShare = 0,
    awaitProducer = true,
    ...change
  } = options
  const spans: Span[] = []
  const broker = new FakeBroker()
  const health = new Health()
  const metrics = createMetrics('ingestion')
  const ingestion = createIngestionMetrics(metrics)
  const fatal: unknown[] = []
  const onFatal = (error: unknown) => void fatal.push(error)
  const writer = createWriter({
    openProducer: broker.open,
    maxQueued: 20_000,
    reopenMinMs: 1,
    health,
    log: quietLog,
    metrics: ingestion,
    onFatal,
    ...change,
  })
  const encoder = new Encoder('player-activity', knownSchemaId)
  const app = createServer({
    writer,
    encoder: () => encoder,
    schemas: schemas ?? fixedSchemas({ [knownSchemaId]: 'player-activity' }),
    keys,
    toPseudonym,
    bounds: { maxAgeDays: 400, maxAheadMinutes: 60 },
    allowance: new Allowance(allowance),
    now: () => nowMs,
    traceShare,
    tracing: { ...noTracing, ended: (span) => void spans.push(span) },
    health,
    log: quietLog,
    metrics,
    ingestion,
    onFatal,
  })
  await app.ready()
  // The first producer opens within the next turns of the loop.
  while (awaitProducer && writer.refusal()) await new Promise(setImmediate)
  return {
    app,
    broker,
    writer,
    health,
    metrics: ingestion,
    fatal,
    spans,
    async [Symbol.asyncDispose]() {
      broker.release()
      await app.close()
      await writer.close()
    },
  }
}

export function bet(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    eventId: 'e-1',
    kind: 'bet_placed',
    playerId: 'p-1',
    occurredAt: nowMs - 1_000,
    market: 'us-nj',
    product: 'sport',
    stake: 5,
    odds: 1.9,
    inPlay: false,
    ...change,
  }
}

/** A plain copy, for comparison: the decoded one has the codec's methods. */
export function decodeActivity(record: OutgoingRecord | undefined) {
  const decoder = new Decoder('player-activity')
  decoder.learn(knownSchemaId, typeOf(schemaText('player-activity')))
  const decoded = decoder.decode(record?.value ?? null)
  if (decoded instanceof DecodeProblem) throw new Error(decoded.detail)
  return { ...decoded }
}
