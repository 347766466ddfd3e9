// What do MLflow, the announcements and the scorers say together?
import { modelNamePrefix } from '@churnstream/registry-bridge'
import { FatalError } from '@churnstream/runtime'
import type { Connection } from './connect.ts'
import { toStatus, type ModelStatus } from './core/status.ts'
import { follow } from './topics.ts'
import { toModelName } from './versions.ts'

export async function readStatus(
  connection: Connection,
  model: string | undefined,
): Promise<ModelStatus[]> {
  const { mlflow } = connection
  const all = await mlflow.models(modelNamePrefix)
  const models = model === undefined ? all : all.filter(({ name }) => name === toModelName(model))
  if (model !== undefined && models.length === 0) {
    const names = all.map(({ name }) => name).join(', ') || 'none'
    throw new FatalError(`MLflow has no model ${toModelName(model)}; there are: ${names}`)
  }
  const named = models.flatMap(({ name, aliases }) =>
    [...new Set(Object.values(aliases))].map((version) => mlflow.version(name, version)),
  )
  const versions = (await Promise.all(named)).filter((version) => version !== undefined)
  const told = await follow(connection)
  try {
    return toStatus({
      models,
      versions,
      events: told.events.values(),
      reports: told.reports.values(),
    })
  } finally {
    await told.stop()
  }
}
