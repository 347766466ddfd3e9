// What does a service open before its own parts, and close after them?
import { Schemas } from '@churnstream/schemas'
import type { z } from 'zod'
import type { baseConfig } from './config.ts'
import { Health, openOperations } from './http.ts'
import { toKafkaConnection, toRegistryConnection } from './kafka-connection.ts'
import type { Kafka } from './kafka.ts'
import { createKafkajsKafka } from './kafkajs/adapter.ts'
import { createLog, type Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { shutdownSignal } from './shutdown.ts'
import { openTracing, type Tracing } from './tracing.ts'

/** All that `run` needs beside the work itself. */
export interface Service extends AsyncDisposable {
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly sessionTimeoutMs: number
  readonly commitIntervalMs: number
  readonly log: Log
  readonly metrics: Metrics
  readonly health: Health
  readonly tracing: Tracing
  /** Aborts when the process is told to end. */
  readonly signal: AbortSignal
}

/**
 * Answers over HTTP from here on: alive, and not ready until its parts are. Asks nothing of Kafka and
 * the registry yet. Closed in reverse, the operations last: how a service ends is still seen.
 * @param name also in logs, metrics and to the brokers
 * @throws FatalError when the port is taken or the environment does not fit together
 */
export async function openService(
  name: string,
  env: z.output<typeof baseConfig> & { readonly HTTP_PORT: number },
): Promise<Service> {
  const log = createLog(name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(name)
  const health = new Health()
  await using opened = new AsyncDisposableStack()
  opened.use(await openOperations({ host: env.HTTP_HOST, port: env.HTTP_PORT, health, metrics }))
  const tracing = opened.use(
    await openTracing({ service: name, endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT, log }),
  )
  const schemas = new Schemas(toRegistryConnection(env))
  const kafka = createKafkajsKafka({ ...toKafkaConnection(env), clientId: name, log })
  opened.defer(() => kafka.close())
  log.info('started')
  const owned = opened.move()
  return {
    kafka,
    schemas,
    sessionTimeoutMs: env.KAFKA_SESSION_TIMEOUT_MS,
    commitIntervalMs: env.COMMIT_INTERVAL_MS,
    log,
    metrics,
    health,
    tracing,
    signal,
    async [Symbol.asyncDispose]() {
      await owned.disposeAsync()
      if (signal.aborted) log.info({ reason: String(signal.reason) }, 'stopped')
    },
  }
}
