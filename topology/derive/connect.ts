// What do Kafka Connect's worker and connectors need to be told?
import { warehouseConnectors, workerSettings } from '../src/index.ts'

/** topology/connect: the worker's properties, and of each connector what PUT .../config takes. */
export function connectFiles(): [path: string, content: string][] {
  const lines = Object.entries(workerSettings).map(([name, value]) => `${name}=${value}\n`)
  return [
    ['topology/connect/worker.properties', lines.join('')],
    ...warehouseConnectors().map(({ name, settings }): [string, string] => [
      `topology/connect/${name}.json`,
      `${JSON.stringify(settings, null, 2)}\n`,
    ]),
  ]
}
