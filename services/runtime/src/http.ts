// How does the outside see whether a service lives, is ready, and what it counted?
import { everyServiceMetrics } from '@churnstream/topology'
import Fastify, { type FastifyInstance } from 'fastify'
import { FatalError } from './errors.ts'
import { createGauge } from './instruments.ts'
import type { Metrics } from './metrics.ts'

/** Longer than any call to Kafka can take with all of its own repetitions. */
const stuckAfterMs = 15 * 60 * 1000

/** Work that is in our own hands. */
export interface Work {
  /** Something came of it: a commit, a piece of state, or that somebody else is away. */
  cameOn(): void
  [Symbol.dispose](): void
}

/**
 * What readiness stands on: a reason for each thing that is not ready yet. And whether the process
 * lives: not when work in its own hands does not come on, which only another process can mend.
 */
export class Health {
  readonly #waiting = new Map<string, string>()
  readonly #inHand = new Map<string, { pieces: number; cameOnAt: number }>()
  readonly #now: () => number
  #failure: string | undefined

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Pieces of the same name take turns: each that comes on speaks for all of them. */
  begin(name: string): Work {
    const at = this.#inHand.get(name) ?? { pieces: 0, cameOnAt: this.#now() }
    this.#inHand.set(name, at)
    at.pieces++
    return {
      cameOn: () => {
        at.cameOnAt = this.#now()
      },
      [Symbol.dispose]: () => {
        at.pieces--
        if (at.pieces === 0) this.#inHand.delete(name)
      },
    }
  }

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
    stuck: string[]
    failure?: string
  } {
    const longAgo = this.#now() - stuckAfterMs
    const stuck = [...this.#inHand].flatMap(([name, { cameOnAt }]) =>
      cameOnAt < longAgo ? [name] : [],
    )
    return {
      live: this.#failure === undefined && stuck.length === 0,
      stuck,
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
    const { live, stuck, failure } = health.state
    return reply.code(live ? 200 : 503).send({ live, stuck, failure })
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
