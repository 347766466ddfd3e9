// What do the services, wherever they run in Kubernetes, call their surroundings?

/** Of everything of ours; Kafka's and KEDA's certificates and addresses carry it, so it is one name. */
export const namespace = 'churnstream'

/** The Kafka resource. Its operator names the rest after it. */
export const clusterName = 'churnstream'
/** The KafkaConnect resource, and its principal. */
export const connectName = 'kafka-connect'
export const kafkaPort = 9093
export const bootstrapServers = `${clusterName}-kafka-bootstrap.${namespace}.svc:${kafkaPort}`

/** The operator writes a principal's password and the brokers' authority into Secrets of these names. */
export const userSecretPrefix = 'kafka-user-'
export const clusterCaSecret = `${clusterName}-cluster-ca-cert`

/** Namespaces that others run in; docs/decisions/0075 and k8s/README.md ask for these names. */
export const otherNamespaces = {
  dns: 'kube-system',
  autoscaler: 'keda',
  gateway: 'gateway',
  monitoring: 'monitoring',
} as const
