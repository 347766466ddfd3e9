// How does the outside see whether a service lives, is ready, and what it counted?
import { everyServiceMetrics } from '@churnstream/topology'
import Fastify, { type FastifyInstance } from 'fastify'
import { FatalError } from './errors.ts'
import { createGauge } from './instruments.ts'
import type { Metrics } from './metrics.ts'

/** What readiness stands on: a reason for each thing that is not ready yet. */
export class Health {
  readonly #waiting = new Map<string, string>()
  #failure: string | undefined

  waitFor(part: string, reason: string): void {
    this.#waiting.set(part, reason)
  }
  ready(part: string): void {
    this.#waiting.delete(part)
  }
  fail(reason: string): void {
    this.#failure = reason
  }
  get state(): {
    live: boolean
    ready: boolean
    waiting: Record<string, string>
    failure?: string
  } {
    return {
      live: this.#failure === undefined,
      ready: this.#failure === undefined && this.#waiting.size === 0,
      waiting: Object.fromEntries(this.#waiting),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    }
  }
}

/** Adds /metrics, /health/live and /health/ready to an HTTP server. */
export function serveOperations(app: FastifyInstance, health: Health, metrics: Metrics): void {
  createGauge(metrics.registry, everyServiceMetrics.ready, (gauge) =>
    gauge.set(health.state.ready ? 1 : 0),
  )
  app.get('/health/live', async (_request, reply) => {
    const { live, failure } = health.state
    return reply.code(live ? 200 : 503).send({ live, failure })
  })
  app.get('/health/ready', async (_request, reply) => {
    const { ready, waiting, failure } = health.state
    return reply.code(ready ? 200 : 503).send({ ready, waiting, failure })
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType)
    return metrics.registry.metrics()
  })
}

/** Adds what a service serves beside its operations. */
export type Routes = (app: FastifyInstance) => void

/** The operations server of a service, and the few routes of its own that it may have. */
export async function openOperations(options: {
  host: string
  port: number
  health: Health
  metrics: Metrics
  routes?: Routes
}): Promise<AsyncDisposable> {
  const app = Fastify({ forceCloseConnections: true })
  serveOperations(app, options.health, options.metrics)
  options.routes?.(app)
  await listen(app, options.host, options.port)
  return { [Symbol.asyncDispose]: () => app.close() }
}

/** @throws FatalError that names the port and what to do when it is taken */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new FatalError(
      `Port ${port} on ${host} is taken. Stop what uses it, or set HTTP_PORT to another (0: any).`,
      { cause: error },
    )
  }
}
