// The warehouse's keeper: its tables made, its connectors running.
import {
  Health,
  createLog,
  createMetrics,
  loadConfig,
  openOperations,
  runMain,
  shutdownSignal,
  untilUp,
} from '@churnstream/runtime'
import { openDatabase } from '@churnstream/sinks'
import { setTimeout as delay } from 'node:timers/promises'
import { config } from './config.ts'
import { createConnect } from './connect.ts'
import { putConnectors, restartFailed } from './connectors.ts'
import { makeTables } from './tables.ts'

const name = 'warehouse'

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const health = new Health()
  const connect = createConnect(env.CONNECT_URL)
  await using operations = await openOperations({
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    health,
    metrics: createMetrics(name),
  })
  await using database = openDatabase({
    url: env.DATABASE_URL,
    maxConnections: 1,
    statementTimeoutMs: 30_000,
    applicationName: 'churnstream-warehouse',
    log,
  })
  log.info('started')
  const waiting = { health, log, signal }
  // Tables first: a connector would make them too, with other types.
  await untilUp('database', 'making the tables', () => makeTables(database), waiting)
  const put = () => putConnectors(connect, env.CONNECT_SECRETS_DIR)
  await untilUp('connect', 'telling the connectors', put, waiting)
  while (!signal.aborted) {
    await restartFailed(connect, health, log)
    await delay(env.CHECK_INTERVAL_MS, undefined, { signal }).catch(() => undefined)
  }
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
