// Who may open a connection to whom? Everybody else may not.
import {
  fusedProcess,
  processes,
  services,
  type Dependency,
  type Process,
} from '../../src/index.ts'
import { clusterName, kafkaPort, otherNamespaces } from './cluster.ts'
import type { Manifest } from './manifest.ts'
import { labelsOf, mlflow, neighbours, schemaRegistry, type Neighbour } from './neighbours.ts'

type Labels = Readonly<Record<string, string>>

/** The brokers, and not the operators that Strimzi runs beside them. */
const kafkaPods: Labels = {
  'strimzi.io/cluster': clusterName,
  'strimzi.io/name': `${clusterName}-kafka`,
}

const pods = (matchLabels: Labels) => ({ podSelector: { matchLabels } })
const inNamespace = (name: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
})
const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: 'TCP', port }))

/** Anywhere but the address that hands out the node's own credentials. */
const outside = { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } }
/** A database has an address of the network that the cluster is part of. */
const privateAddresses = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map((cidr) => ({
  ipBlock: { cidr },
}))
/** Hands a pod the credentials of its service account, where EKS Pod Identity does. */
const podIdentity = { ipBlock: { cidr: '169.254.170.23/32' } }

const toKubernetes = { to: [outside], ports: tcp(443, 6443) }
const toKafka = { to: [pods(kafkaPods)], ports: tcp(kafkaPort) }
const toNeighbour = ({ labels, port }: Neighbour) => ({
  to: [pods(labels)],
  ports: port === undefined ? [] : tcp(port),
})

function toDependency(dependency: Dependency): unknown[] {
  switch (dependency) {
    case 'database':
      return [{ to: privateAddresses, ports: tcp(5432) }]
    case 'mlflow':
      return [toNeighbour(mlflow)]
    case 'model-files':
      return [
        { to: [outside], ports: tcp(443) },
        { to: [podIdentity], ports: tcp(80) },
      ]
    case 'webhook':
      return [] // it is called
    default:
      return dependency satisfies never
  }
}

const policy = (name: string, spec: Readonly<Record<string, unknown>>): Manifest => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec,
})

const both = { policyTypes: ['Ingress', 'Egress'] }

export const fusedNetworkPolicy = (): Manifest[] => [ofProcess(fusedProcess)]

export function networkPolicies(): Manifest[] {
  return [
    policy('default-deny', { podSelector: {}, ...both }),
    policy('dns', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            {
              ...inNamespace(otherNamespaces.dns),
              ...pods({ 'k8s-app': 'kube-dns' }),
            },
          ],
          ports: [{ protocol: 'UDP', port: 53 }, ...tcp(53)],
        },
      ],
    }),
    ...processes.map(ofProcess),
    ...neighbours.map(ofNeighbour),
    ofStrimzi(),
  ]
}

function ofProcess(process: Omit<Process, 'id'>): Manifest {
  const { name, port, placement } = process
  const callers = [
    inNamespace(otherNamespaces.monitoring),
    ...(name === services.ingestion.name ? [inNamespace(otherNamespaces.gateway)] : []),
    ...(isTold(process) ? [pods(mlflow.labels)] : []),
  ]
  return policy(name, {
    podSelector: { matchLabels: labelsOf(name) },
    ...both,
    ingress: [{ from: callers, ports: tcp(port) }],
    egress: [toKafka, toNeighbour(schemaRegistry), ...placement.reaches.flatMap(toDependency)],
  })
}

function ofNeighbour(neighbour: Neighbour): Manifest {
  const { name, labels, port, metricsPort, usesKafka, asksKubernetes, calls, reaches } = neighbour
  const called = neighbours.filter((other) => calls.includes(other.name))
  // MLflow tells of a moved alias at the address that the service's own Service has.
  const told = name === mlflow.name ? processes.filter(isTold) : []
  const callers = callersOf(neighbour)
  return policy(name, {
    podSelector: { matchLabels: labels },
    ...both,
    ingress: [
      ...(port === undefined ? [] : [{ from: callers, ports: tcp(port) }]),
      ...(metricsPort === undefined
        ? []
        : [{ from: [inNamespace(otherNamespaces.monitoring)], ports: tcp(metricsPort) }]),
    ],
    egress: [
      ...(usesKafka ? [toKafka] : []),
      ...(asksKubernetes ? [toKubernetes] : []),
      ...called.map(toNeighbour),
      ...told.map((service) => ({
        to: [pods(labelsOf(service.name))],
        ports: tcp(service.port),
      })),
      ...reaches.flatMap(toDependency),
    ],
  })
}

const isTold = ({ placement }: Pick<Process, 'placement'>): boolean =>
  placement.reaches.includes('webhook')

function callersOf({ name }: Neighbour): unknown[] {
  const callingProcesses = processes.filter(
    ({ placement }) =>
      name === schemaRegistry.name || (placement.reaches as string[]).includes(name),
  )
  const callingNeighbours = neighbours.filter(({ calls }) => calls.includes(name))
  return [
    ...callingProcesses.map((service) => pods(labelsOf(service.name))),
    ...callingNeighbours.map(({ labels }) => pods(labels)),
  ]
}

/** What comes in is said by policies that Strimzi writes itself, from the listener's peers. */
const ofStrimzi = (): Manifest =>
  policy('strimzi', {
    podSelector: { matchLabels: { 'strimzi.io/cluster': clusterName } },
    policyTypes: ['Egress'],
    egress: [
      { to: [pods({ 'strimzi.io/cluster': clusterName })] },
      // Racks of nodes, users and topics.
      toKubernetes,
    ],
  })

/** A patch of the Kafka resource: who may connect to its one listener. */
export const listenerPeers = (): unknown[] => [
  {
    op: 'add',
    path: '/spec/kafka/listeners/0/networkPolicyPeers',
    value: [
      ...processes.map(({ name }) => pods(labelsOf(name))),
      ...neighbours.filter(({ usesKafka }) => usesKafka).map(({ labels }) => pods(labels)),
      inNamespace(otherNamespaces.autoscaler),
    ],
  },
]
