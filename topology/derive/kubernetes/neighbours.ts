// What runs in the namespace beside our services, and whom does each of it call?
import { warehouse, type Dependency } from '../../src/index.ts'
import { connectName } from './cluster.ts'

type Labels = Readonly<Record<string, string>>

export interface Neighbour {
  readonly name: string
  readonly labels: Labels
  /** Where it is called; absent: nobody calls it. */
  readonly port?: number
  /** Where Prometheus asks it, if it does. */
  readonly metricsPort?: number
  readonly usesKafka: boolean
  /** Reads Secrets from the Kubernetes API itself. */
  readonly asksKubernetes?: true
  /** Other neighbours, by name. */
  readonly calls: readonly string[]
  readonly reaches: readonly Dependency[]
}

export const labelsOf = (name: string): Labels => ({ 'app.kubernetes.io/name': name })

const ours = (name: string, rest: Partial<Omit<Neighbour, 'name' | 'labels'>> = {}): Neighbour => ({
  name,
  labels: labelsOf(name),
  usesKafka: false,
  calls: [],
  reaches: [],
  ...rest,
})

export const schemaRegistry = ours('schema-registry', {
  port: 8080,
  metricsPort: 9000,
  reaches: ['database'],
})
export const mlflow = ours('mlflow', { port: 5000, reaches: ['database', 'model-files'] })
const dagsterCode = ours('dagster-code', {
  port: 4000,
  usesKafka: true,
  calls: [schemaRegistry.name, mlflow.name],
  // Its notices go to a webhook somewhere outside, as files come from there: over HTTPS.
  reaches: ['database', 'model-files'],
})

export const neighbours: readonly Neighbour[] = [
  schemaRegistry,
  mlflow,
  dagsterCode,
  ...['dagster-webserver', 'dagster-daemon'].map((name) =>
    ours(name, { calls: [dagsterCode.name], reaches: ['database'] }),
  ),
  {
    // Its workers also call each other: one of them decides.
    ...ours(connectName, {
      port: 8083,
      metricsPort: 9404,
      usesKafka: true,
      asksKubernetes: true,
      calls: [schemaRegistry.name, connectName],
      reaches: ['database', 'model-files'],
    }),
    // Its pods are made by Strimzi, which names them.
    labels: { 'strimzi.io/cluster': connectName, 'strimzi.io/kind': 'KafkaConnect' },
  },
  ours(warehouse, {
    calls: [connectName],
    reaches: ['database'],
  }),
]
