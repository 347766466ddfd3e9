// When does a service get more replicas, and never more than it has partitions for?
import { fused, fusedProcess, groupOf, processes, services, type Process } from '../../src/index.ts'
import { bootstrapServers, clusterCaSecret, userSecretPrefix } from './cluster.ts'
import type { Manifest } from './manifest.ts'

/** Its principal on the cluster. */
const autoscaler = 'autoscaler'
const trigger = { name: 'kafka' }

/** Records that one replica is left to work through by itself: some seconds of them. */
const lagThreshold = 10_000
const pollSeconds = 30
/** Taking partitions over costs a restore, and every step stops the whole group for a moment. */
const settleSeconds = { stateful: 1800, stateless: 900 } as const
const stepSeconds = { stateful: 300, stateless: 120 } as const

/** Names keep their place between replacements: at most one process of a name, so of a report. */
const namedPods: readonly string[] = [services.features, services.scorer, fused].map(
  ({ name }) => name,
)
export const workloadKindOf = (name: string): 'StatefulSet' | 'Deployment' =>
  namedPods.includes(name) ? 'StatefulSet' : 'Deployment'

export const scalers = (): Manifest[] => [
  ...authentication(),
  ...processes.filter(({ consumes }) => consumes.length > 0).map((one) => scaledObject(one)),
]

export const fusedScaler = (): Manifest[] => [scaledObject(fusedProcess, fused.first)]

/** A Secret of Strimzi's holds the password and not the name. */
function authentication(): Manifest[] {
  const name = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: autoscaler },
    data: { username: autoscaler },
  }
  const secret = `${userSecretPrefix}${autoscaler}`
  const references = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'TriggerAuthentication',
    metadata: trigger,
    spec: {
      secretTargetRef: [
        { parameter: 'password', name: secret, key: 'password' },
        { parameter: 'ca', name: clusterCaSecret, key: 'ca.crt' },
      ],
      configMapTargetRef: [{ parameter: 'username', name: autoscaler, key: 'username' }],
    },
  }
  return [name, references]
}

function scaledObject(
  service: Omit<Process, 'id'>,
  member: Pick<Process, 'name'> = service,
): Manifest {
  const { name, consumes, state, placement } = service
  const { least, most } = placement.replicas
  const kind = state.length > 0 ? 'stateful' : 'stateless'
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: workloadKindOf(name), name },
      minReplicaCount: least,
      maxReplicaCount: most,
      pollingInterval: pollSeconds,
      // Kafka away is no reason to start or to stop anything.
      fallback: { failureThreshold: 3, replicas: least, behavior: 'currentReplicas' },
      advanced: {
        horizontalPodAutoscalerConfig: {
          behavior: {
            scaleUp: {
              stabilizationWindowSeconds: stepSeconds[kind],
              // Twice as many: the next number of replicas that shares the partitions evenly.
              policies: [{ type: 'Percent', value: 100, periodSeconds: stepSeconds[kind] }],
            },
            scaleDown: {
              stabilizationWindowSeconds: settleSeconds[kind],
              policies: [{ type: 'Percent', value: 50, periodSeconds: settleSeconds[kind] }],
            },
          },
        },
      },
      triggers: consumes.map((topic) => ({
        type: 'kafka',
        metadata: {
          bootstrapServers,
          consumerGroup: groupOf(member),
          topic: topic.name,
          lagThreshold: String(lagThreshold),
          offsetResetPolicy: 'earliest',
          // Not together with limitToPartitionsWithLag: KEDA refuses the two.
          ensureEvenDistributionOfPartitions: 'true',
          // A record that stops its partition must not add replicas for ever.
          excludePersistentLag: 'true',
          sasl: 'scram_sha512',
          tls: 'enable',
        },
        authenticationRef: trigger,
      })),
    },
  }
}
