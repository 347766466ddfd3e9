// Do the manifests say what the topology and the services' own configuration say?
import { loadConfig } from '@churnstream/runtime'
import {
  clusterTopics,
  connectStorage,
  connectVariables,
  fused,
  groupOf,
  placements,
  principals,
  processes,
  services,
  topics,
  warehouse,
  warehousePort,
  workerSettings,
} from '@churnstream/topology'
import { findCheckers } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { z } from 'zod'
import { config as features } from '../services/features/src/config.ts'
import { config as ingestion } from '../services/ingestion/src/config.ts'
import { config as monitor } from '../services/monitor/src/config.ts'
import { config as registryBridge } from '../services/registry-bridge/src/config.ts'
import { config as scorer } from '../services/scorer/src/config.ts'
import { config as sinks } from '../services/sinks/src/config.ts'
import { config as warehouseConfig } from '../services/warehouse/src/config.ts'
import { mayConnect, policiesOf } from './network.ts'
import { operatorResources } from './operators.ts'
import {
  containersOf,
  environments,
  render,
  workloadsOf,
  type Container,
  type Resource,
  type Variable,
  type Workload,
} from './rendered.ts'

const run = promisify(execFile)
const checkers = await findCheckers()
const skip = checkers.missing === undefined ? false : `no kustomize: ${checkers.missing}`
if (skip) console.log(skip)

const rendered = new Map(
  checkers.missing === undefined
    ? await Promise.all(
        environments.map(async (name) => [name, await render(checkers.kustomize, name)] as const),
      )
    : [],
)
const resourcesOf = (environment: string): readonly Resource[] =>
  rendered.get(environment)?.resources ?? []
const ofKind = (kind: string, environment = 'prod'): Resource[] =>
  resourcesOf(environment).filter((one) => one.kind === kind)
const named = <T extends Resource>(all: readonly T[], name: string): T => {
  const found = all.filter(({ metadata }) => metadata.name === name)
  assert.equal(found.length, 1, `${name} once`)
  return found[0] as T
}
const workloads = (environment = 'prod') => workloadsOf(resourcesOf(environment))

/** A test for each environment. */
function everywhere(name: string, check: (environment: string) => void | Promise<void>): void {
  for (const environment of environments) {
    test(`${environment} - ${name}`, { skip }, () => check(environment))
  }
}

everywhere('Kubernetes takes every resource of its own kinds', async (environment) => {
  const dir = mkdtempSync(join(tmpdir(), 'churnstream-k8s-'))
  try {
    const file = join(dir, 'rendered.yaml')
    writeFileSync(file, rendered.get(environment)?.text ?? '')
    const { kubernetesValidate } = checkers as { kubernetesValidate: string }
    const { stdout, stderr } = await run(kubernetesValidate, ['--strict', file], {
      maxBuffer: 1 << 24,
    })
    const unknown = [...`${stdout}${stderr}`.matchAll(/schema for kind (\w+) /g)].map(([, k]) => k)
    assert.deepEqual(
      new Set(unknown),
      new Set(Object.keys(operatorResources)),
      'only what operators bring has no schema there',
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('kubernetes-validate - refuses a field that is not there', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'churnstream-k8s-'))
  try {
    const file = join(dir, 'wrong.yaml')
    const right = named(workloads(), services.sinks.name)
    writeFileSync(file, stringify(right).replace('failureThreshold:', 'failureTreshold:'))
    const { kubernetesValidate } = checkers as { kubernetesValidate: string }
    const told = await run(kubernetesValidate, ['--strict', file]).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    )
    assert.match(told, /failureTreshold/)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

everywhere('operators get the fields that they know', (environment) => {
  const problems = resourcesOf(environment).flatMap((resource) => {
    const schema = operatorResources[resource.kind]
    const result = schema?.safeParse(resource)
    if (result === undefined || result.success) return []
    return [`${resource.kind} ${resource.metadata.name}: ${z.prettifyError(result.error)}`]
  })
  assert.deepEqual(problems, [])
})

everywhere('everything is in the one namespace, which asks for restricted pods', (environment) => {
  const [namespace, ...more] = ofKind('Namespace', environment)
  assert.deepEqual(more, [])
  assert.equal(namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted')
  const elsewhere = resourcesOf(environment).filter(
    (one) => one !== namespace && one.metadata.namespace !== namespace?.metadata.name,
  )
  assert.deepEqual(elsewhere, [])
})

test('topics and users - those of the topology, each once', { skip }, () => {
  const names = (kind: string) => ofKind(kind).map(({ metadata }) => metadata.name)
  assert.deepEqual(
    names('KafkaTopic').toSorted(),
    clusterTopics()
      .map(({ name }) => name)
      .toSorted(),
  )
  const kept = principals().filter(({ name }) => name !== 'topic-admin' && name !== fused.name)
  assert.deepEqual(names('KafkaUser').toSorted(), kept.map(({ name }) => name).toSorted())
})

test('each service - its port, probes, room and time to stop', { skip }, () => {
  for (const { name, port, placement } of processes) {
    const { spec } = named(workloads(), name)
    const pod = spec.template.spec
    const [container, ...more] = pod.containers
    assert.ok(container !== undefined && more.length === 0, name)
    assert.deepEqual(container.args, [`services/${name}/src/main.ts`])
    assert.deepEqual(container.ports, [{ name: 'http', containerPort: port }])
    const probed = (probe: Container['livenessProbe']) => probe?.httpGet
    assert.deepEqual(probed(container.livenessProbe), { path: '/health/live', port: 'http' })
    for (const probe of [container.readinessProbe, container.startupProbe]) {
      assert.deepEqual(probed(probe), { path: '/health/ready', port: 'http' })
    }
    const { periodSeconds = 0, failureThreshold = 0 } = container.startupProbe ?? {}
    assert.ok(periodSeconds * failureThreshold >= 3600, `${name} may restore for an hour`)
    assert.equal(millis(container.resources?.requests?.cpu), placement.cpuMillis, name)
    assert.equal(megabytes(container.resources?.limits?.memory), placement.memoryMb, name)
    const waits = container.lifecycle?.preStop?.sleep?.seconds ?? 0
    assert.ok(pod.terminationGracePeriodSeconds >= placement.stopSeconds + waits, name)
    const service = named(ofKind('Service'), name).spec as {
      selector: Record<string, string>
      ports: { port: number; targetPort: string }[]
    }
    assert.deepEqual(service.selector, spec.selector.matchLabels)
    assert.deepEqual(
      service.ports.map((one) => [one.port, one.targetPort]),
      [[port, 'http']],
    )
  }
})

interface Scaled {
  scaleTargetRef: { kind: string; name: string }
  minReplicaCount: number
  maxReplicaCount: number
  triggers: { metadata: { consumerGroup: string; topic: string; bootstrapServers: string } }[]
}

everywhere('no service gets more replicas than it has partitions for', (environment) => {
  for (const { id, name, consumes, placement } of processes) {
    const target = named(workloads(environment), name)
    const scalers = ofKind('ScaledObject', environment).map(({ spec }) => spec as Scaled)
    const [scaler, ...more] = scalers.filter((one) => one.scaleTargetRef.name === name)
    assert.deepEqual(more, [])
    if (consumes.length === 0) {
      assert.equal(scaler, undefined)
      if (id === 'ingestion') continue
      assert.deepEqual([target.spec.replicas, placement.replicas], [1, { least: 1, most: 1 }])
      continue
    }
    assert.ok(scaler, name)
    assert.equal(scaler.scaleTargetRef.kind, target.kind)
    // Who scales says how many: applying a manifest must not say it again.
    assert.equal(target.spec.replicas, undefined)
    assert.equal(scaler.maxReplicaCount, placement.replicas.most)
    for (const { partitions } of consumes) assert.ok(scaler.maxReplicaCount <= partitions)
    const least = environment === 'dev' ? 1 : placement.replicas.least
    assert.equal(scaler.minReplicaCount, least)
    assert.deepEqual(
      scaler.triggers.map(({ metadata }) => [metadata.consumerGroup, metadata.topic]),
      consumes.map((topic) => [groupOf({ name }), topic.name]),
    )
    const [pipeline] = configMaps(environment, 'pipeline')
    for (const { metadata } of scaler.triggers) {
      assert.equal(metadata.bootstrapServers, pipeline?.data?.['KAFKA_BOOTSTRAP_SERVERS'])
    }
  }
})

test('ingestion - as many replicas as the topology says', { skip }, () => {
  const { spec } = named(ofKind('HorizontalPodAutoscaler'), services.ingestion.name)
  const { minReplicas: least, maxReplicas: most } = spec as Record<string, number>
  assert.deepEqual({ least, most }, placements.ingestion.replicas)
})

const schemas: Readonly<Record<keyof typeof placements, z.ZodType>> = {
  ingestion,
  features,
  scorer,
  registryBridge,
  sinks,
  monitor,
}
/** Read by the SDK, and not by a config.ts. */
const ofTheSdk = ['AWS_REGION']

test('Connect - is told what the warehouse says of its worker', { skip }, () => {
  const { spec } = named(ofKind('KafkaConnect'), 'kafka-connect')
  const connect = spec as Record<string, string> & {
    config: Record<string, unknown>
    template: {
      connectContainer: { env: { name: string }[]; volumeMounts: { mountPath: string }[] }
    }
  }
  // Of these Strimzi makes what they are: addresses, names, plugins.
  const ofStrimzi =
    /^(bootstrap\.servers|group\.id|.*\.storage\.topic|listeners|rest\..*|.*\.storage\.partitions)$/
  const [mount] = connect.template.connectContainer.volumeMounts
  for (const [name, value] of Object.entries(workerSettings)) {
    if (ofStrimzi.test(name)) continue
    const told = String(connect.config[name])
    if (name.endsWith('allowlist.pattern')) assert.match('WAREHOUSE_USER', new RegExp(told))
    else if (name.endsWith('allowed.paths')) assert.equal(told, mount?.mountPath)
    else assert.equal(told, value, name)
  }
  assert.equal(connect['groupId'], workerSettings['group.id'])
  assert.deepEqual(
    ['config', 'offset', 'status'].map((what) => connect[`${what}StorageTopic`]),
    [connectStorage.config, connectStorage.offset, connectStorage.status],
  )
  const given = connect.template.connectContainer.env.map(({ name }) => name)
  const read = connectVariables.filter((name) => /^(APICURIO|WAREHOUSE)_/.test(name))
  assert.deepEqual(given.filter((name) => !ofTheSdk.includes(name)).toSorted(), read.toSorted())
})

everywhere('whoever writes to S3 writes to the bucket of the environment', (environment) => {
  const bucket = `s3://churnstream-${environment}/`
  const [mlflow] = configMaps(environment, 'mlflow')
  assert.ok(mlflow?.data?.['MLFLOW_DEFAULT_ARTIFACT_ROOT']?.startsWith(bucket))
  const [dagster] = configMaps(environment, 'dagster')
  assert.equal(`s3://${dagster?.data?.['S3_BUCKET']}/`, bucket)
  const { spec } = named(ofKind('KafkaConnect', environment), 'kafka-connect')
  const { env } = (spec as { template: { connectContainer: { env: Variable[] } } }).template
    .connectContainer
  const location = env.find(({ name }) => name === 'WAREHOUSE_S3_LOCATION')?.value
  assert.ok(location?.startsWith(bucket), location)
})

everywhere('the keeper of the warehouse is given what it reads', (environment) => {
  const keeper = named(workloads(environment), warehouse)
  const values: Record<string, string> = {}
  for (const [name, value] of variablesOf(environment, keeper)) {
    const secret = name.replace(/_FILE$/, '')
    assert.ok(secret in warehouseConfig.shape, name)
    if (secret !== name) assertMounted(keeper, value)
    values[secret] = secret === name ? value : (placeholders[secret] ?? 'secret')
  }
  assert.equal(loadConfig(warehouseConfig, values).HTTP_PORT, warehousePort)
})

test(
  'sinks - tables are made by who owns them, and the writer of rows never sees that password',
  { skip },
  () => {
    const sinks = named(workloads(), services.sinks.name)
    const [migrate] = sinks.spec.template.spec.initContainers ?? []
    assert.deepEqual(migrate?.args, ['services/batch/src/migrate-main.ts'])
    const owner = migrate.env?.find(({ name }) => name === 'DATABASE_URL_FILE')?.value ?? ''
    assertMounted(sinks, owner, migrate)
    const writer = variablesOf('prod', sinks).get('DATABASE_URL_FILE') ?? ''
    assertMounted(sinks, writer)
    assert.throws(() => assertMounted(sinks, owner))
    assert.throws(() => assertMounted(sinks, writer, migrate))
  },
)

/** Such as stands in a file: of the right form, and nothing else. */
const placeholders: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://sinks:secret@database:5432/churnstream',
}

everywhere(
  'each service is given what its config.ts reads, and all that it needs',
  (environment) => {
    for (const { id, name } of processes) {
      const workload = named(workloads(environment), name)
      const variables = variablesOf(environment, workload)
      const schema = schemas[id as keyof typeof placements]
      const known = new Set([...variablesReadBy(schema), ...ofTheSdk])
      const values: Record<string, string> = {}
      for (const [variable, value] of variables) {
        const secret = variable.replace(/_FILE$/, '')
        const isInFile = variable !== secret && !known.has(variable)
        assert.ok(known.has(isInFile ? secret : variable), `${name} reads no ${variable}`)
        if (isInFile || variable.endsWith('_FILE')) assertMounted(workload, value)
        values[isInFile ? secret : variable] = isInFile ? (placeholders[secret] ?? 'secret') : value
      }
      const env = loadConfig(schema, values) as { HTTP_HOST: string; HTTP_PORT: number }
      assert.equal(env.HTTP_HOST, '0.0.0.0')
      assert.equal(env.HTTP_PORT, services[id].port)
    }
  },
)

everywhere('every reference leads to something', (environment) => {
  const secrets = new Map(
    ofKind('ExternalSecret', environment).map(({ spec }) => {
      const { target, data } = spec as { target: { name: string }; data: { secretKey: string }[] }
      return [target.name, new Set(data.map(({ secretKey }) => secretKey))]
    }),
  )
  // Strimzi writes these: docs of its user operator and of its certificates.
  secrets.set('churnstream-cluster-ca-cert', new Set(['ca.crt']))
  for (const { metadata } of ofKind('KafkaUser', environment)) {
    secrets.set(`kafka-user-${metadata.name}`, new Set(['password']))
  }
  const accounts = new Set(ofKind('ServiceAccount', environment).map((one) => one.metadata.name))
  const maps = new Set(ofKind('ConfigMap', environment).map((one) => one.metadata.name))
  const has = (name: string, key?: string) =>
    assert.ok(
      key === undefined ? secrets.has(name) : secrets.get(name)?.has(key),
      `Secret ${name} ${key ?? ''}`,
    )
  for (const workload of workloads(environment)) {
    const pod = workload.spec.template.spec
    assert.ok(accounts.has(pod.serviceAccountName))
    for (const volume of pod.volumes ?? []) {
      if (volume.configMap) assert.ok(maps.has(volume.configMap.name))
      if (volume.secret) {
        has(volume.secret.secretName)
        for (const { key } of volume.secret.items ?? []) has(volume.secret.secretName, key)
      }
      for (const { secret } of volume.projected?.sources ?? []) {
        for (const { key } of secret.items ?? []) has(secret.name, key)
      }
    }
    for (const container of containersOf(workload)) {
      for (const { valueFrom } of container.env ?? []) {
        if (valueFrom?.secretKeyRef) has(valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key)
      }
      for (const { configMapRef, secretRef } of container.envFrom ?? []) {
        if (configMapRef) assert.ok(maps.has(configMapRef.name))
        if (secretRef) has(secretRef.name)
      }
    }
  }
  for (const { spec } of ofKind('TriggerAuthentication', environment)) {
    const { secretTargetRef, configMapTargetRef } = spec as Record<
      'secretTargetRef' | 'configMapTargetRef',
      { name: string; key: string }[]
    >
    for (const { name, key } of secretTargetRef) has(name, key)
    for (const { name } of configMapTargetRef) assert.ok(maps.has(name))
  }
})

everywhere('every pod has the least rights, bounded room, and says how it is', (environment) => {
  assert.ok(workloads(environment).length > processes.length)
  for (const account of ofKind('ServiceAccount', environment)) {
    assert.equal(
      (account as { automountServiceAccountToken?: boolean }).automountServiceAccountToken,
      false,
    )
  }
  for (const workload of workloads(environment)) {
    const { name } = workload.metadata
    const pod = workload.spec.template.spec
    assert.equal(pod.automountServiceAccountToken, false, name)
    assert.equal(pod.securityContext?.runAsNonRoot, true, name)
    assert.equal(pod.securityContext.seccompProfile?.type, 'RuntimeDefault', name)
    for (const volume of pod.volumes ?? []) {
      if (volume.emptyDir) assert.ok(volume.emptyDir.sizeLimit, `${name} ${volume.name}`)
    }
    for (const container of containersOf(workload)) {
      const { securityContext: context, resources } = container
      assert.equal(context?.allowPrivilegeEscalation, false, name)
      assert.equal(context.readOnlyRootFilesystem, true, name)
      assert.deepEqual(context.capabilities?.drop, ['ALL'], name)
      assert.ok(resources?.requests?.cpu, name)
      assert.ok(resources.requests.memory, name)
      assert.equal(resources.requests.memory, resources.limits?.memory, name)
    }
    for (const container of pod.containers) {
      const { startupProbe, livenessProbe, readinessProbe } = container
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) assert.ok(probe, name)
    }
  }
})

everywhere('every image has the version that the repository has', (environment) => {
  const versions: Record<string, string | undefined> = {
    'churnstream/services': manifestVersion(),
    'churnstream/mlflow': manifestVersion(),
    'churnstream/dagster': manifestVersion(),
    'churnstream/strimzi-connect': manifestVersion(),
    'apicurio/apicurio-registry': pinnedVersion('registry', 'apicurio-registry-app'),
  }
  for (const workload of workloads(environment)) {
    for (const { image } of containersOf(workload)) {
      const [name = '', version] = image.split(':')
      assert.equal(version, versions[name], image)
    }
  }
  const connect = named(ofKind('KafkaConnect', environment), 'kafka-connect').spec
  const { image, version: connectVersion } = connect as { image: string; version: string }
  assert.equal(image, `churnstream/strimzi-connect:${manifestVersion()}`)
  const kafka = named(ofKind('Kafka', environment), 'churnstream')
  const { version } = (kafka.spec as { kafka: { version: string } }).kafka
  for (const one of [version, connectVersion]) {
    assert.equal(one, pinnedVersion('kafka', 'kafka_2.13'))
  }
})

everywhere('no secret stands in a manifest', (environment) => {
  assert.deepEqual(ofKind('Secret', environment), [])
  const text = rendered.get(environment)?.text ?? ''
  assert.doesNotMatch(text, /:\/\/[^\s/:@]+:[^\s@]+@/, 'a URL with a password')
  assert.doesNotMatch(text, /AKIA[A-Z0-9]{16}|-----BEGIN/)
  for (const workload of workloads(environment)) {
    for (const { env = [] } of containersOf(workload)) {
      for (const { name, value } of env) {
        if (value === undefined) continue
        const isSecret =
          /PASSWORD|SECRET|TOKEN|KEY|DATABASE_URL/.test(name) && !/_(FILE|DIR)$/.test(name)
        assert.ok(!isSecret, `${workload.metadata.name} ${name}`)
      }
    }
  }
})

everywhere(
  'whoever has more than one pod loses them one at a time, and over zones',
  (environment) => {
    const budgets = ofKind('PodDisruptionBudget', environment)
    const once = ['dagster-code', 'dagster-daemon', 'dagster-webserver', 'warehouse']
    for (const workload of workloads(environment)) {
      const { name } = workload.metadata
      if (once.includes(name)) continue
      const { spec } = named(budgets, name)
      const budget = spec as { maxUnavailable: number; selector: unknown }
      assert.equal(budget.maxUnavailable, 1)
      assert.deepEqual(budget.selector, workload.spec.selector)
      if (name === 'mlflow') continue
      assert.ok(workload.spec.template.spec.topologySpreadConstraints?.length, name)
    }
  },
)

everywhere('who calls somebody may, and nobody else', (environment) => {
  const policies = policiesOf(resourcesOf(environment))
  const all = workloads(environment)
  for (const policyType of ['Ingress', 'Egress'] as const) {
    const denies = policies.some(
      ({ spec }) =>
        Object.keys(spec.podSelector).length === 0 &&
        spec.policyTypes.includes(policyType) &&
        (policyType === 'Ingress' ? spec.ingress : spec.egress) === undefined,
    )
    assert.ok(denies, `everything is denied first: ${policyType}`)
  }
  const labels = (name: string) => named(all, name).spec.template.metadata.labels
  const wanted = new Set<string>()
  const wants = (from: string, url: string) => {
    const { hostname, port } = new URL(url)
    const target = named(ofKind('Service', environment), hostname)
    wanted.add(`${from} ${target.metadata.name} ${port}`)
  }
  for (const workload of all) {
    for (const [name, value] of variablesOf(environment, workload)) {
      // Its Service is Strimzi's.
      if (name === 'CONNECT_URL') continue
      if (name === 'WEBHOOK_URL') wants('mlflow', value)
      else if (value.startsWith('http:')) wants(workload.metadata.name, value)
    }
  }
  for (const name of ['dagster-webserver', 'dagster-daemon'])
    wants(name, 'http://dagster-code:4000')
  assert.ok(wanted.size > 10)
  const allowed = new Set<string>()
  for (const from of all) {
    for (const to of all) {
      for (const { containerPort } of containersOf(to).flatMap(({ ports = [] }) => ports)) {
        const [source, target] = [from.metadata.name, to.metadata.name]
        if (mayConnect(policies, labels(source), labels(target), containerPort)) {
          allowed.add(`${source} ${target} ${containerPort}`)
        }
      }
    }
  }
  assert.deepEqual([...allowed].toSorted(), [...wanted].toSorted())
  const connect = { 'strimzi.io/cluster': 'kafka-connect', 'strimzi.io/kind': 'KafkaConnect' }
  for (const from of all) {
    const { name } = from.metadata
    assert.equal(mayConnect(policies, labels(name), connect, 8083), name === 'warehouse', name)
  }
  assert.ok(mayConnect(policies, connect, connect, 8083))
  assert.ok(mayConnect(policies, connect, labels('schema-registry'), 8080))
})

everywhere('Kafka is open to those who have a principal there, and to KEDA', (environment) => {
  const kafka = named(ofKind('Kafka', environment), 'churnstream')
  const { listeners, config } = (
    kafka.spec as {
      kafka: {
        listeners: {
          networkPolicyPeers: {
            podSelector?: { matchLabels: Record<string, string> }
            namespaceSelector?: { matchLabels: Record<string, string> }
          }[]
        }[]
        config: Record<string, unknown>
      }
    }
  ).kafka
  const peers = listeners.flatMap(({ networkPolicyPeers }) => networkPolicyPeers)
  const users = new Set(ofKind('KafkaUser', environment).map(({ metadata }) => metadata.name))
  const uses = workloads(environment).filter(({ spec }) =>
    spec.template.spec.volumes?.some(({ name }) => name === 'kafka'),
  )
  const asked = uses.map(({ metadata }) => metadata.name)
  const open = peers.flatMap(({ podSelector }) => {
    const name = podSelector?.matchLabels['app.kubernetes.io/name']
    return name === undefined ? [] : [name]
  })
  assert.deepEqual(open.toSorted(), asked.toSorted())
  for (const name of open) assert.ok(users.has(name) || name === 'dagster-code', name)
  const connect = peers.some(
    ({ podSelector }) => podSelector?.matchLabels['strimzi.io/kind'] === 'KafkaConnect',
  )
  assert.ok(connect && users.has('kafka-connect'))
  assert.deepEqual(
    peers.flatMap(({ namespaceSelector }) => Object.values(namespaceSelector?.matchLabels ?? {})),
    ['keda'],
  )
  assert.equal(config['allow.everyone.if.no.acl.found'], false)
  assert.equal(config['auto.create.topics.enable'], false)
  assert.equal(config['unclean.leader.election.enable'], false)
})

test('production - no acknowledged record lives in one zone alone', { skip }, () => {
  for (const environment of ['staging', 'prod']) {
    const kafka = named(ofKind('Kafka', environment), 'churnstream')
    const { config } = (kafka.spec as { kafka: { config: Record<string, number> } }).kafka
    const copies = config['default.replication.factor'] as number
    assert.equal(copies, 3)
    assert.equal(config['min.insync.replicas'], copies - 1)
    assert.equal(config['transaction.state.log.replication.factor'], copies)
    assert.equal(config['transaction.state.log.min.isr'], copies - 1)
    const pools = ofKind('KafkaNodePool', environment).map(
      ({ spec }) => spec as { replicas: number },
    )
    for (const { replicas } of pools) assert.ok(replicas >= copies)
  }
})

test('Prometheus - scrapes exactly the services', { skip }, () => {
  const monitors = ofKind('PodMonitor').map(
    ({ spec }) =>
      spec as {
        selector: { matchLabels?: Record<string, string> }
        podMetricsEndpoints: { port: string }[]
      },
  )
  const ours = monitors.filter(({ podMetricsEndpoints: [one] }) => one?.port === 'http')
  assert.equal(ours.length, 1)
  const wanted = Object.entries(ours[0]?.selector.matchLabels ?? {})
  assert.ok(wanted.length > 0)
  const found = workloads().filter(({ spec }) => {
    const { labels } = spec.template.metadata
    const ports = spec.template.spec.containers.flatMap((one) => one.ports ?? [])
    return (
      wanted.every(([key, value]) => labels[key] === value) &&
      ports.some(({ name }) => name === 'http')
    )
  })
  assert.deepEqual(
    found.map(({ metadata }) => metadata.name).toSorted(),
    processes.map(({ name }) => name).toSorted(),
  )
})

test('topics - none is named by hand in a manifest', { skip }, () => {
  const names = Object.values(topics).map(({ name }) => name)
  for (const file of ['ingestion', 'features', 'scorer', 'sinks', 'monitor', 'kafka', 'dagster']) {
    const text = readFileSync(new URL(`base/${file}.yaml`, import.meta.url), 'utf8')
    for (const name of names) assert.ok(!text.includes(name), `${file}.yaml: ${name}`)
  }
})

/** Names that Kustomize has put a hash behind. */
function configMaps(environment: string, name: string): Resource[] {
  const hashed = new RegExp(`^${name}-[a-z0-9]{10}$`)
  return ofKind('ConfigMap', environment).filter(({ metadata }) => hashed.test(metadata.name))
}

function variablesOf(environment: string, workload: Workload): Map<string, string> {
  const found = new Map<string, string>()
  const maps = ofKind('ConfigMap', environment)
  for (const { env = [], envFrom = [] } of workload.spec.template.spec.containers) {
    for (const { configMapRef } of envFrom) {
      if (configMapRef === undefined) continue
      const { data = {} } = named(maps, configMapRef.name)
      for (const [name, value] of Object.entries(data)) found.set(name, value)
    }
    for (const { name, value, valueFrom } of env) {
      const path = valueFrom?.fieldRef?.fieldPath
      const label = /^metadata\.labels\['(.+)'\]$/.exec(path ?? '')?.[1] ?? ''
      const { labels } = workload.spec.template.metadata
      found.set(name, value ?? labels[label] ?? 'secret')
    }
  }
  return found
}

/** A file that a variable names comes out of a volume. */
function assertMounted(
  { metadata, spec }: Workload,
  path: string,
  container = spec.template.spec.containers[0],
): void {
  const pod = spec.template.spec
  const mount = container?.volumeMounts?.find((one) => path.startsWith(`${one.mountPath}/`))
  assert.ok(mount, `${metadata.name} has no ${path}`)
  const volume = pod.volumes?.find(({ name }) => name === mount.name)
  const file = path.slice(mount.mountPath.length + 1)
  const files =
    volume?.secret?.items?.map((item) => item.path) ??
    volume?.projected?.sources.flatMap(({ secret }) =>
      (secret.items ?? []).map((item) => item.path),
    )
  if (files) assert.ok(files.includes(file), `${metadata.name} ${path}`)
  else if (volume?.secret) {
    const { secretName } = volume.secret
    const { spec: source } = ofKind('ExternalSecret').find(
      (one) => (one.spec as { target: { name: string } }).target.name === secretName,
    ) ?? { spec: { data: [] } }
    const keys = (source as { data: { secretKey: string }[] }).data.map((one) => one.secretKey)
    assert.ok(keys.includes(file), `${metadata.name} ${path}`)
  } else assert.fail(`${metadata.name} ${path}`)
}

/** Of a zod object, or of one that is transformed afterwards. */
function variablesReadBy(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodPipe) return variablesReadBy(schema.in as z.ZodType)
  assert.ok(schema instanceof z.ZodObject)
  return Object.keys(schema.shape)
}

function millis(cpu: string | undefined): number {
  return cpu?.endsWith('m') ? Number(cpu.slice(0, -1)) : Number(cpu) * 1000
}

function megabytes(memory: string | undefined): number {
  const [, size, unit] = /^(\d+)(Mi|Gi)$/.exec(memory ?? '') ?? []
  return Number(size) * (unit === 'Gi' ? 1024 : 1)
}

function manifestVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** What the local servers are, so that both are the same. */
function pinnedVersion(folder: string, artifact: string): string | undefined {
  const pom = readFileSync(
    new URL(`../topology/local/maven/${folder}/pom.xml`, import.meta.url),
    'utf8',
  )
  const found = new RegExp(
    `<artifactId>${artifact.replaceAll('.', '\\.')}</artifactId>\\s*<version>([^<]+)<`,
  )
  return found.exec(pom)?.[1]
}
