// Where do the spans of sampled requests go?
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'
import type { TraceContext } from './trace.ts'

/** Work that a sampled request caused, once it is done. */
export interface Span {
  readonly name: string
  readonly kind: 'server' | 'consumer'
  readonly trace: TraceContext
  readonly parent: TraceContext | undefined
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly endedAt: number
  readonly attributes: Readonly<Record<string, string | number>>
}

export interface Tracing extends AsyncDisposable {
  ended(span: Span): void
}

export const noTracing: Tracing = {
  ended: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
}

/** Longer than this a shutdown does not wait for who takes the spans. */
const closeWithinMs = 2_000

/**
 * Sends spans to an OpenTelemetry collector (OTLP over HTTP, JSON). Its packages are loaded only when
 * there is one; what it does not take is dropped and said.
 * @param endpoint without the path; undefined: nowhere
 */
export async function openTracing(options: {
  readonly service: string
  readonly endpoint: string | undefined
  readonly log: Log
}): Promise<Tracing> {
  const { service, endpoint, log } = options
  if (endpoint === undefined) return noTracing
  const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const complain = (message: string): void =>
    log.warn({ endpoint, reason: message }, 'spans are lost')
  api.diag.setLogger(
    { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: api.DiagLogLevel.WARN },
  )
  // The ids were chosen where the work began, for they had to travel with the records.
  let chosen: TraceContext = { traceId: '', spanId: '' }
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    idGenerator: {
      generateTraceId: () => chosen.traceId,
      generateSpanId: () => chosen.spanId,
    },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
        scheduledDelayMillis: 1_000,
      }),
    ],
  })
  const tracer = provider.getTracer('churnstream')
  const kinds = { server: api.SpanKind.SERVER, consumer: api.SpanKind.CONSUMER }
  return {
    ended({ name, kind, trace, parent, startedAt, endedAt, attributes }) {
      chosen = trace
      const remote = { traceFlags: api.TraceFlags.SAMPLED, isRemote: true }
      const context =
        parent === undefined
          ? api.ROOT_CONTEXT
          : api.trace.setSpanContext(api.ROOT_CONTEXT, { ...parent, ...remote })
      const options = { kind: kinds[kind], startTime: startedAt, attributes }
      tracer.startSpan(name, options, context).end(endedAt)
    },
    async [Symbol.asyncDispose]() {
      const late = AbortSignal.timeout(closeWithinMs)
      const given = new Promise((resolve) => late.addEventListener('abort', resolve))
      const closing = provider.shutdown().catch((error: unknown) => complain(messageOf(error)))
      await Promise.race([closing, given])
    },
  }
}

const ignore = (): void => undefined
