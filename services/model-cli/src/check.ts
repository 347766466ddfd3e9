// Does a version fit the feature catalogue, by its own files?
import { versionTags } from '@churnstream/registry-bridge'
import { FatalError } from '@churnstream/runtime'
import { checkContract } from '@churnstream/schemas/model'
import type { Connection } from './connect.ts'
import { gateTag, type Gate } from './core/gate.ts'

const files = ['MLmodel', 'columns.json', 'model.onnx'] as const

/**
 * Reads the version's folder, and writes the verdict on the version in MLflow.
 * @throws FatalError when the folder has not what a scorer needs, with what to do
 */
export async function checkVersion(
  connection: Connection,
  modelName: string,
  modelVersion: string,
): Promise<Gate> {
  const { mlflow } = connection
  const location = await mlflow.artifactLocation(modelName, modelVersion)
  const found = await Promise.all(files.map((file) => connection.readFile(location, file)))
  const missing = files.filter((_, index) => found[index] === undefined)
  const [mlmodel, columns, onnx] = found
  if (mlmodel === undefined || columns === undefined || onnx === undefined) {
    await mlflow.setVersionTags(modelName, modelVersion, {
      [versionTags.gate]: 'refused: file-missing',
    })
    const market = modelName.replace(/^churn-/, '')
    throw new FatalError(
      `version ${modelVersion} of ${modelName} cannot serve the stream: ${location} has no ` +
        `${missing.join(', no ')}. Save the booster with save_model("model.json") and bring it with ` +
        `npm run model -- import --model model.json --sample SAMPLE --columns COLUMNS --market ${market}`,
    )
  }
  const contract = checkContract({
    mlmodel: Buffer.from(mlmodel).toString(),
    columns: Buffer.from(columns).toString(),
    onnx,
  })
  const gate = { modelName, modelVersion, contract }
  await mlflow.setVersionTags(modelName, modelVersion, { [versionTags.gate]: gateTag(gate) })
  return gate
}
