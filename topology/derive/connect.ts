// What do Kafka Connect's worker and connectors need to be told?
import {
  connectorName,
  connectorSettings,
  warehouseTables,
  workerSettings,
  type WarehouseTable,
} from '../src/index.ts'

/** topology/connect: the worker's properties, and of each connector what PUT .../config takes. */
export function connectFiles(): [path: string, content: string][] {
  const lines = Object.entries(workerSettings).map(([name, value]) => `${name}=${value}\n`)
  const tables: WarehouseTable[] = Object.values(warehouseTables)
  return [
    ['topology/connect/worker.properties', lines.join('')],
    ...tables.map((table): [string, string] => [
      `topology/connect/${connectorName(table)}.json`,
      `${JSON.stringify(connectorSettings(table), null, 2)}\n`,
    ]),
  ]
}
