// Do the connectors run, with the settings that the topology says?
import { isAway, messageOf, type Health, type Log } from '@churnstream/runtime'
import { connectSecrets, warehouseConnectors } from '@churnstream/topology'
import type { Connect, ConnectorStatus } from './connect.ts'

const connectors = warehouseConnectors()

/** @param secretsDir where the worker finds passwords */
export async function putConnectors(connect: Connect, secretsDir: string): Promise<void> {
  for (const { name, settings } of connectors) {
    const placed = Object.entries(settings).map(([key, value]) => [
      key,
      value.replace(`\${directory:${connectSecrets.folder}:`, `\${directory:${secretsDir}:`),
    ])
    await connect.put(name, Object.fromEntries(placed))
  }
}

/**
 * Connect leaves a task that failed as it is, and Debezium's sink fails when its connection breaks
 * in the middle of a write: what failed is started again, and meanwhile readiness says why.
 */
export async function restartFailed(connect: Connect, health: Health, log: Log): Promise<void> {
  for (const { name } of connectors) {
    try {
      const status = await connect.status(name)
      const problem = problemOf(status)
      if (problem === undefined) health.ready(name)
      else health.waitFor(name, problem)
      if (!partsOf(status).some(({ state }) => state === 'FAILED')) continue
      log.error({ connector: name, problem }, 'failed, started again')
      await connect.restartFailed(name)
    } catch (error) {
      if (!isAway(error)) throw error
      health.waitFor(name, messageOf(error))
      log.warn({ connector: name, reason: messageOf(error) }, 'Connect does not answer')
    }
  }
}

const partsOf = ({ connector, tasks }: ConnectorStatus) => [connector, ...tasks]

/** Undefined when the connector and at least one task run. */
function problemOf(status: ConnectorStatus): string | undefined {
  if (status.tasks.length === 0) return 'it has no task yet'
  const idle = partsOf(status).find(({ state }) => state !== 'RUNNING')
  if (idle === undefined) return undefined
  const causes = (idle.trace ?? '').split('\n').filter((line) => line.startsWith('Caused by:'))
  return `${idle.state} ${causes.at(-1) ?? ''}`.trim()
}
