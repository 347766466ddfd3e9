// How does a person ask for a new version of a model?
import { modelNamePrefix } from '@churnstream/registry-bridge'
import { FatalError } from '@churnstream/runtime'
import type { RetrainingRequest } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import type { Connection } from './connect.ts'
import { toModelName } from './versions.ts'

const topic = topics.retrainingRequests

/**
 * Writes the request to retraining-requests, acknowledged by all replicas.
 * @throws FatalError when MLflow has no such model, and what MLflow, Kafka and the registry throw
 */
export async function askToRetrain(
  connection: Connection,
  { model, why }: { readonly model: string; readonly why: string },
  nowMs: number,
): Promise<{ readonly text: string; readonly request: RetrainingRequest }> {
  const modelName = toModelName(model)
  const known = await connection.mlflow.models(modelNamePrefix)
  if (!known.some(({ name }) => name === modelName)) {
    const names = known.map(({ name }) => name).join(', ') || 'none'
    throw new FatalError(`MLflow has no model ${modelName}; there are: ${names}`)
  }
  const request: RetrainingRequest = {
    modelName,
    market: modelName.slice(modelNamePrefix.length),
    reason: 'asked-for',
    evidence: JSON.stringify({ why }),
    requestedAt: nowMs,
    // A person knows why: nothing that the monitor finds is held back.
    cooldownUntil: nowMs,
    requestedBy: 'person',
  }
  const { kafka, schemas } = connection.streams()
  const encoder = await schemas.encoderOf(topic)
  const producer = await kafka.openProducer()
  try {
    const value = encoder.encode(request)
    const [placed] = await producer.send([
      { topic: topic.name, partition: 0, key: modelName, value },
    ])
    const text = `asked for a new version of ${modelName}: ${topic.name} offset ${placed?.offset}`
    return { text, request }
  } finally {
    await producer.close()
  }
}
