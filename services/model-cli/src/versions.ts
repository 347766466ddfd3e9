// Which model and version does the user mean?
import { modelNamePrefix, type Mlflow } from '@churnstream/registry-bridge'
import { FatalError } from '@churnstream/runtime'

/** `us-nj` is churn-us-nj; a full name stays as it is. */
export const toModelName = (text: string): string =>
  text.startsWith(modelNamePrefix) ? text : `${modelNamePrefix}${text}`

/** A number, or an alias that names one. @throws FatalError with what there is instead */
export async function resolveVersion(
  mlflow: Mlflow,
  modelName: string,
  text: string,
): Promise<string> {
  const model = await mlflow.model(modelName)
  if (model === undefined) {
    const names = (await mlflow.models(modelNamePrefix)).map(({ name }) => name)
    throw new FatalError(
      `MLflow has no model ${modelName}; there are: ${names.join(', ') || 'none'}`,
    )
  }
  const aliased = model.aliases[text]
  if (aliased !== undefined) return aliased
  if ((await mlflow.version(modelName, text)) !== undefined) return text
  const newest = (await mlflow.versions(modelName)).slice(0, 5).map(({ version }) => version)
  const named = Object.entries(model.aliases).map(([alias, version]) => `${alias} (${version})`)
  throw new FatalError(
    `${modelName} has neither a version nor an alias ${text}; ` +
      `its newest versions: ${newest.join(', ') || 'none'}; its aliases: ${named.join(', ') || 'none'}`,
  )
}
