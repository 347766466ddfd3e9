// Which fields do we use of the resources that operators bring, and what may stand in them?
import { z } from 'zod'

const metadata = z.strictObject({
  name: z.string(),
  namespace: z.literal('churnstream'),
  labels: z.record(z.string(), z.string()),
})
const resource = <T extends z.ZodType>(apiVersion: string, kind: string, spec: T) =>
  z.strictObject({ apiVersion: z.literal(apiVersion), kind: z.literal(kind), metadata, spec })

const quantity = z.strictObject({
  requests: z.strictObject({ cpu: z.string(), memory: z.string() }),
  limits: z.strictObject({ memory: z.string() }),
})
const labels = z.record(z.string(), z.string())
const selector = z.strictObject({ matchLabels: labels })

const strimzi = 'kafka.strimzi.io/v1'
const kafkaConfig = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

const metricsConfig = z.strictObject({
  type: z.literal('strimziMetricsReporter'),
  values: z.strictObject({ allowList: z.array(z.string()) }),
})
const spread = z.array(
  z.strictObject({
    maxSkew: z.literal(1),
    topologyKey: z.string(),
    whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
    labelSelector: selector,
  }),
)

const kafka = resource(
  strimzi,
  'Kafka',
  z.strictObject({
    kafka: z.strictObject({
      version: z.literal('4.3.1'),
      metadataVersion: z.literal('4.3-IV0'),
      rack: z.strictObject({ topologyKey: z.string() }).optional(),
      listeners: z
        .array(
          z.strictObject({
            name: z.string().max(11),
            port: z.number().min(9092),
            type: z.literal('internal'),
            tls: z.literal(true),
            authentication: z.strictObject({ type: z.literal('scram-sha-512') }),
            networkPolicyPeers: z
              .array(
                z.union([
                  z.strictObject({ podSelector: selector }),
                  z.strictObject({ namespaceSelector: selector }),
                ]),
              )
              .nonempty(),
          }),
        )
        .length(1),
      authorization: z.strictObject({ type: z.literal('simple') }),
      config: kafkaConfig,
      metricsConfig,
    }),
    entityOperator: z.strictObject({
      topicOperator: z.strictObject({ resources: quantity }),
      userOperator: z.strictObject({ secretPrefix: z.string(), resources: quantity }),
    }),
  }),
)

const kafkaNodePool = resource(
  strimzi,
  'KafkaNodePool',
  z.strictObject({
    replicas: z.number().int().positive(),
    roles: z.array(z.enum(['controller', 'broker'])).nonempty(),
    storage: z.strictObject({
      type: z.literal('jbod'),
      volumes: z
        .array(
          z.strictObject({
            id: z.number(),
            type: z.literal('persistent-claim'),
            size: z.string(),
            kraftMetadata: z.literal('shared'),
            deleteClaim: z.literal(false),
          }),
        )
        .nonempty(),
    }),
    resources: quantity,
    jvmOptions: z.strictObject({ '-Xms': z.string(), '-Xmx': z.string() }).optional(),
    template: z
      .strictObject({
        pod: z.strictObject({
          topologySpreadConstraints: spread,
        }),
      })
      .optional(),
  }),
)

const kafkaConnect = resource(
  strimzi,
  'KafkaConnect',
  z.strictObject({
    version: z.literal('4.3.1'),
    image: z.string(),
    replicas: z.number().int().positive(),
    bootstrapServers: z.string(),
    tls: z.strictObject({
      trustedCertificates: z.array(z.strictObject({ secretName: z.string(), pattern: z.string() })),
    }),
    authentication: z.strictObject({
      type: z.literal('scram-sha-512'),
      username: z.string(),
      passwordSecret: z.strictObject({ secretName: z.string(), password: z.string() }),
    }),
    groupId: z.string(),
    configStorageTopic: z.string(),
    offsetStorageTopic: z.string(),
    statusStorageTopic: z.string(),
    config: kafkaConfig,
    jvmOptions: z.strictObject({
      '-Xms': z.string(),
      '-Xmx': z.string(),
      javaSystemProperties: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    }),
    metricsConfig,
    resources: quantity,
    template: z.strictObject({
      pod: z.strictObject({
        topologySpreadConstraints: spread,
        volumes: z.array(
          z.strictObject({
            name: z.string(),
            secret: z.strictObject({
              secretName: z.string(),
              items: z.array(z.strictObject({ key: z.string(), path: z.string() })),
            }),
          }),
        ),
      }),
      connectContainer: z.strictObject({
        env: z.array(
          z.union([
            z.strictObject({ name: z.string(), value: z.string() }),
            z.strictObject({
              name: z.string(),
              valueFrom: z.strictObject({
                secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }),
              }),
            }),
          ]),
        ),
        // Strimzi mounts nothing elsewhere.
        volumeMounts: z.array(
          z.strictObject({ name: z.string(), mountPath: z.string().startsWith('/mnt/') }),
        ),
      }),
    }),
  }),
)

const kafkaTopic = resource(
  strimzi,
  'KafkaTopic',
  z.strictObject({
    partitions: z.number().int().positive(),
    config: z.record(z.string(), z.string()),
  }),
)

const operation = z.enum([
  'Read',
  'Write',
  'Create',
  'Delete',
  'Alter',
  'Describe',
  'ClusterAction',
  'AlterConfigs',
  'DescribeConfigs',
  'IdempotentWrite',
])
const kafkaUser = resource(
  strimzi,
  'KafkaUser',
  z.strictObject({
    authentication: z.strictObject({ type: z.literal('scram-sha-512') }),
    authorization: z.strictObject({
      type: z.literal('simple'),
      acls: z
        .array(
          z.strictObject({
            resource: z.strictObject({
              type: z.enum(['topic', 'group', 'transactionalId']),
              name: z.string().min(1),
              patternType: z.enum(['literal', 'prefix']),
            }),
            operations: z.array(operation).nonempty(),
          }),
        )
        .nonempty(),
    }),
  }),
)

const policies = z.strictObject({
  stabilizationWindowSeconds: z.number().int().max(3600),
  policies: z.array(
    z.strictObject({
      type: z.enum(['Pods', 'Percent']),
      value: z.number().int().positive(),
      periodSeconds: z.number().int().positive().max(1800),
    }),
  ),
})
const scaledObject = resource(
  'keda.sh/v1alpha1',
  'ScaledObject',
  z.strictObject({
    scaleTargetRef: z.strictObject({
      apiVersion: z.literal('apps/v1'),
      kind: z.enum(['Deployment', 'StatefulSet']),
      name: z.string(),
    }),
    // From nothing a group that never committed is not woken.
    minReplicaCount: z.number().int().positive(),
    maxReplicaCount: z.number().int().positive(),
    pollingInterval: z.number().int().positive(),
    fallback: z.strictObject({
      failureThreshold: z.number().int().positive(),
      replicas: z.number().int().positive(),
      behavior: z.literal('currentReplicas'),
    }),
    advanced: z.strictObject({
      horizontalPodAutoscalerConfig: z.strictObject({
        behavior: z.strictObject({ scaleUp: policies, scaleDown: policies }),
      }),
    }),
    triggers: z
      .array(
        z.strictObject({
          type: z.literal('kafka'),
          // KEDA takes text alone, and refuses ensureEven… together with limitToPartitionsWithLag.
          metadata: z.strictObject({
            bootstrapServers: z.string(),
            consumerGroup: z.string(),
            topic: z.string(),
            lagThreshold: z.string().regex(/^[1-9]\d*$/),
            offsetResetPolicy: z.literal('earliest'),
            ensureEvenDistributionOfPartitions: z.literal('true'),
            excludePersistentLag: z.literal('true'),
            sasl: z.literal('scram_sha512'),
            tls: z.literal('enable'),
          }),
          authenticationRef: z.strictObject({ name: z.string() }),
        }),
      )
      .nonempty(),
  }),
)

const reference = z.strictObject({ parameter: z.string(), name: z.string(), key: z.string() })
const triggerAuthentication = resource(
  'keda.sh/v1alpha1',
  'TriggerAuthentication',
  z.strictObject({
    secretTargetRef: z.array(reference),
    configMapTargetRef: z.array(reference),
  }),
)

const externalSecret = resource(
  'external-secrets.io/v1',
  'ExternalSecret',
  z.strictObject({
    secretStoreRef: z.strictObject({
      kind: z.literal('ClusterSecretStore'),
      name: z.literal('churnstream'),
    }),
    refreshInterval: z.string().regex(/^\d+[smh]$/),
    target: z.strictObject({ name: z.string() }),
    data: z
      .array(
        z.strictObject({
          secretKey: z.string(),
          remoteRef: z.strictObject({ key: z.string(), property: z.string() }),
        }),
      )
      .nonempty(),
  }),
)

const podMonitor = resource(
  'monitoring.coreos.com/v1',
  'PodMonitor',
  z.strictObject({
    jobLabel: z.string().optional(),
    selector: z.union([
      selector,
      z.strictObject({
        matchExpressions: z.array(
          z.strictObject({
            key: z.string(),
            operator: z.literal('In'),
            values: z.array(z.string()),
          }),
        ),
      }),
    ]),
    podMetricsEndpoints: z
      .array(
        z.strictObject({
          port: z.string(),
          path: z.literal('/metrics'),
          interval: z.string(),
          honorLabels: z.boolean().optional(),
        }),
      )
      .nonempty(),
  }),
)

const prometheusRule = resource(
  'monitoring.coreos.com/v1',
  'PrometheusRule',
  z.strictObject({
    groups: z.array(
      z.strictObject({
        name: z.string(),
        rules: z.array(
          z.union([
            z.strictObject({ record: z.string(), expr: z.string() }),
            z.strictObject({
              alert: z.string(),
              expr: z.string(),
              for: z.string(),
              labels,
              annotations: labels,
            }),
          ]),
        ),
      }),
    ),
  }),
)

/** By kind. Their full schemas come with the operators and are not to be had offline. */
export const operatorResources: Readonly<Record<string, z.ZodType>> = {
  Kafka: kafka,
  KafkaNodePool: kafkaNodePool,
  KafkaConnect: kafkaConnect,
  KafkaTopic: kafkaTopic,
  KafkaUser: kafkaUser,
  ScaledObject: scaledObject,
  TriggerAuthentication: triggerAuthentication,
  ExternalSecret: externalSecret,
  PodMonitor: podMonitor,
  PrometheusRule: prometheusRule,
}
