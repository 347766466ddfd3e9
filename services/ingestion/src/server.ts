// How are events taken over HTTP, and what does each caller hear?
import {
  TransientError,
  childOf,
  messageOf,
  newTrace,
  parseTraceparent,
  partitionOf,
  serveOperations,
  toTraceparent,
  traceHeader,
  type Health,
  type Log,
  type Metrics,
  type OutgoingRecord,
  type TraceContext,
  type Tracing,
} from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  RegistryUnavailable,
  type Encoder,
  type PlayerActivity,
  type Schemas,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ApiKeys, Caller } from './api-keys.ts'
import type { Allowance } from './core/allowance.ts'
import { checkEvent, type Checked, type TimeBounds } from './core/event.ts'
import { KeyRates } from './core/key-rate.ts'
import { parseEvents, type RequestProblem } from './core/request.ts'
import type { IngestionMetrics } from './metrics.ts'
import type { ToPseudonym } from './pseudonym.ts'
import { Refused, type Writer } from './writer.ts'

export interface ServerOptions {
  readonly writer: Writer
  /** Undefined until the schema is registered. */
  readonly encoder: () => Encoder<'player-activity'> | undefined
  readonly schemas: Pick<Schemas, 'prepare'>
  /** Without them everybody may send. */
  readonly keys: ApiKeys | undefined
  /** Without it players are written as they come. */
  readonly toPseudonym: ToPseudonym | undefined
  readonly bounds: TimeBounds
  readonly allowance: Allowance
  readonly now: () => number
  /** Of the requests that bring no trace context, the share that gets one. */
  readonly traceShare: number
  readonly tracing: Tracing
  readonly health: Health
  readonly log: Log
  readonly metrics: Metrics
  readonly ingestion: IngestionMetrics
  /** A bug: answered with 500, and the process must end. */
  readonly onFatal: (error: unknown) => void
}

/** A sampled request: whose work sent it, and our work on it. */
interface Traced {
  readonly parent: TraceContext | undefined
  readonly trace: TraceContext
}

interface Body {
  readonly format: 'json' | 'avro'
  readonly bytes: Buffer
}

const bodyLimitBytes = 1 << 20
/** A slow sender holds a connection, and a shutdown, no longer than this. */
const requestTimeoutMs = 20_000
const path = '/v1/events'
const contentTypes = 'application/json or avro/binary'
const deferred = {
  reason: 'player-burst',
  message: 'this player sends faster than it may: send it again, before its later events',
}
const foreignMarket = {
  reason: 'market-not-allowed',
  field: 'market',
  message: 'this key may not send events of this market',
}
const methods = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const

export function createServer(options: ServerOptions): FastifyInstance {
  const { writer, bounds, allowance, health, log, ingestion } = options
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    // Answered below, in the same words as everything else.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void onError(error, request, reply),
  })
  const decoder = new Decoder('player-activity')
  const sampled = new WeakMap<FastifyRequest, Traced>()
  const callers = new WeakMap<FastifyRequest, Caller>()
  const rates = new KeyRates()
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
    health.waitFor('shutdown', 'the service is stopping')
  })
  // A connection kept alive would hold the shutdown until its idle time is over.
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
  app.removeAllContentTypeParsers()
  for (const [type, format] of [
    ['application/json', 'json'],
    ['avro/binary', 'avro'],
  ] as const) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, bytes, done) =>
      done(null, { format, bytes }),
    )
  }
  app.setErrorHandler(onError)
  app.setNotFoundHandler((request, reply) => {
    const url = request.url.split('?', 1)[0] as string
    const allowed = methods.filter((method) => app.hasRoute({ method, url }))
    if (allowed.length === 0) {
      return refuse(reply, 404, 'not-found', `there is nothing here; events go to POST ${path}`)
    }
    reply.header('allow', allowed.join(', '))
    return refuse(reply, 405, 'method-not-allowed', `this path takes ${allowed.join(', ')}`)
  })
  serveOperations(app, health, options.metrics)
  app.post<{ Body: Body | undefined }>(path, {
    // Before the body is read: refusing must stay cheap when there is too much to do.
    onRequest: async (request, reply) => {
      const refused = refusal()
      if (refused !== undefined) {
        return unavailable(reply, refused.reason, refused.message, refused.retryAfterMs)
      }
      return options.keys === undefined ? undefined : admit(options.keys, request, reply)
    },
    onResponse: async (request, reply) => {
      ingestion.requestSeconds.observe({ status: reply.statusCode }, reply.elapsedTime / 1000)
      const traced = sampled.get(request)
      if (traced) tell(traced, reply)
    },
    handler: takeEvents,
  })
  return app

  function refusal(): Pick<Refused, 'reason' | 'message' | 'retryAfterMs'> | undefined {
    if (closing) return new Refused('stopping', 'the service is stopping', 1_000)
    if (options.encoder() === undefined) {
      return new Refused('registry-away', 'the schema registry did not answer yet', 5_000)
    }
    return writer.refusal()
  }

  async function admit(
    keys: ApiKeys,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> {
    const caller = keys.identify(request.headers.authorization)
    if (caller === undefined) {
      reply.header('www-authenticate', 'Bearer')
      return refuse(reply, 401, 'unknown-key', 'send a valid key: authorization: Bearer ID.SECRET')
    }
    const waitMs = rates.wait(caller.id, caller.rate, performance.now())
    if (waitMs > 0) {
      reply.header('retry-after', seconds(waitMs))
      return refuse(reply, 429, 'key-rate', 'this key sends faster than it may: send it again')
    }
    callers.set(request, caller)
    return undefined
  }

  /** What the caller may not write is rejected like what nobody may. */
  function within(checked: Checked, caller: Caller | undefined): Checked {
    const { event } = checked
    if (event === undefined || caller === undefined || caller.mayWrite(event.market)) return checked
    return { rejection: { eventId: event.eventId, ...foreignMarket } }
  }

  async function takeEvents(
    request: FastifyRequest<{ Body: Body | undefined }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { body } = request
    if (body === undefined || body === null) {
      return refuse(reply, 415, 'unsupported-content-type', `send ${contentTypes}`)
    }
    const parsed = body.format === 'json' ? parseEvents(body.bytes) : await decode(body.bytes)
    if ('problem' in parsed) {
      const { status, reason, field, message } = parsed.problem
      ingestion.events.inc({ verdict: 'rejected', reason })
      return refuse(reply, status, reason, message, field)
    }
    const traced = sample(request)
    if (traced) reply.header(traceHeader, toTraceparent(traced.trace))
    const nowMs = options.now()
    const caller = callers.get(request)
    if (caller) rates.charge(caller.id, caller.rate, parsed.events.length, performance.now())
    const checked = parsed.events.map((event) => within(checkEvent(event, bounds, nowMs), caller))
    const waits = waitsOf(checked.map(({ event }) => event))
    const records: OutgoingRecord[] = []
    for (const [index, { event }] of checked.entries()) {
      if (event && waits[index] === undefined) records.push(toRecord(event, traced))
    }
    const placed = records.length === 0 ? [] : await writer.write(records)
    let at = 0
    const results = checked.map(({ event, rejection }, index) => {
      if (rejection) {
        const { eventId, reason, field, message } = rejection
        ingestion.events.inc({ verdict: 'rejected', reason })
        return { eventId, status: 'rejected', reason, field, message }
      }
      const retryAfterMs = waits[index]
      if (retryAfterMs !== undefined) {
        ingestion.events.inc({ verdict: 'deferred', reason: deferred.reason })
        return { eventId: event.eventId, status: 'deferred', ...deferred, retryAfterMs }
      }
      const place = placed[at++]
      if (place === undefined) throw new Error('an event was written and has no place: a bug')
      const { partition, offset } = place
      return { eventId: event.eventId, status: 'accepted', partition, offset: Number(offset) }
    })
    if (records.length > 0) {
      ingestion.events.inc({ verdict: 'accepted', reason: '' }, records.length)
      return reply.code(202).send({ results })
    }
    const longestMs = Math.max(0, ...waits.map((wait) => wait ?? 0))
    if (longestMs === 0) {
      const isForbidden = checked.every(
        ({ rejection }) => rejection?.reason === foreignMarket.reason,
      )
      return reply.code(isForbidden ? 403 : 400).send({ results })
    }
    return reply.header('retry-after', seconds(longestMs)).code(429).send({ results })
  }

  /** Of each event how long it must wait; none overtakes one of its player that waits. */
  function waitsOf(events: readonly (PlayerActivity | undefined)[]): (number | undefined)[] {
    const now = performance.now()
    const waiting = new Map<string, number>()
    return events.map((event) => {
      if (event === undefined) return undefined
      const ahead = waiting.get(event.playerId) ?? 0
      const wait = allowance.take(event.playerId, ahead, now)
      if (wait !== undefined) waiting.set(event.playerId, ahead + 1)
      return wait
    })
  }

  async function decode(
    bytes: Buffer,
  ): Promise<{ events: PlayerActivity[] } | { problem: RequestProblem }> {
    await options.schemas.prepare(decoder, [bytes])
    const event = decoder.decode(bytes)
    // A plain copy: the decoded one has the codec's methods, which are no fields.
    if (!(event instanceof DecodeProblem)) return { events: [{ ...event }] }
    return { problem: { status: 400, reason: event.reason, field: null, message: event.detail } }
  }

  /** The caller decides for a request that is part of its own trace. */
  function sample(request: FastifyRequest): Traced | undefined {
    const header = request.headers[traceHeader]
    const asked = typeof header === 'string' ? parseTraceparent(header) : undefined
    let traced: Traced | undefined
    if (asked?.isSampled) traced = { parent: asked.context, trace: childOf(asked.context) }
    else if (!asked && Math.random() < options.traceShare) {
      traced = { parent: undefined, trace: newTrace() }
    }
    if (traced) sampled.set(request, traced)
    return traced
  }

  function tell({ parent, trace }: Traced, { statusCode, elapsedTime }: FastifyReply): void {
    const { traceId, spanId } = trace
    const tookMs = Math.round(elapsedTime)
    log.info({ traceId, spanId, status: statusCode, tookMs }, 'sampled request answered')
    const endedAt = Date.now()
    options.tracing.ended({
      name: `POST ${path}`,
      kind: 'server',
      trace,
      parent,
      startedAt: endedAt - elapsedTime,
      endedAt,
      attributes: {
        'http.request.method': 'POST',
        'http.route': path,
        'http.response.status_code': statusCode,
      },
    })
  }

  function toRecord(event: PlayerActivity, traced: Traced | undefined): OutgoingRecord {
    const encoder = options.encoder()
    if (encoder === undefined) throw new Error('an event was taken before the schema: a bug')
    const { name, partitions } = topics.playerActivity
    const { toPseudonym } = options
    const sent = toPseudonym ? { ...event, playerId: toPseudonym(event.playerId) } : event
    const partition = partitionOf(sent.playerId, partitions)
    const record = { topic: name, partition, key: sent.playerId, value: encoder.encode(sent) }
    if (traced === undefined) return record
    return { ...record, headers: { [traceHeader]: toTraceparent(traced.trace) } }
  }

  function onError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (error instanceof Refused) {
      return unavailable(reply, error.reason, error.message, error.retryAfterMs)
    }
    if (error instanceof TransientError) {
      const message = `${error.message}: repeat it with the same eventIds, a repeated one counts once`
      return unavailable(reply, 'not-acknowledged', message, error.retryAfterMs)
    }
    if (error instanceof RegistryUnavailable) {
      log.warn({ reason: messageOf(error) }, 'the schema registry did not answer')
      return unavailable(reply, 'registry-away', 'the schema registry does not answer', 5_000)
    }
    const { code, statusCode, message } = error as {
      code?: string
      statusCode?: number
      message: string
    }
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      readOn(request, reply)
      const limit = `a body may have ${bodyLimitBytes} bytes: send several requests`
      return refuse(reply, 413, 'body-too-large', limit)
    }
    if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
      return refuse(reply, 415, 'unsupported-content-type', `send ${contentTypes}`)
    }
    if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
      return refuse(reply, statusCode, 'bad-request', message)
    }
    options.onFatal(error)
    return refuse(reply, 500, 'internal', 'the service failed; what was written is unknown')
  }
}

function unavailable(
  reply: FastifyReply,
  reason: string,
  message: string,
  retryAfterMs = 1_000,
): FastifyReply {
  reply.header('retry-after', seconds(retryAfterMs))
  return refuse(reply, 503, reason, message)
}

const seconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)))

function refuse(
  reply: FastifyReply,
  status: number,
  reason: string,
  message: string,
  field: string | null = null,
): FastifyReply {
  return reply.code(status).send({ reason, field, message })
}

/**
 * Fastify would close the connection, and a client that is still sending would see that rather
 * than our answer. What still comes is read and dropped, for `requestTimeoutMs` at most.
 */
function readOn({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection')
  const timer = setTimeout(() => raw.socket.destroy(), requestTimeoutMs).unref()
  raw.once('close', () => clearTimeout(timer))
}
