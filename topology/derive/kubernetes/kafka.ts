// Which topics and users does Strimzi keep on the cluster?
import { clusterTopics, fused, principals, type AclRule, type Principal } from '../../src/index.ts'
import { clusterName } from './cluster.ts'
import type { Manifest } from './manifest.ts'

const apiVersion = 'kafka.strimzi.io/v1'
const metadata = (name: string) => ({ name, labels: { 'strimzi.io/cluster': clusterName } })

/** Without a replication factor: it is the cluster's own. */
export const kafkaTopics = (): Manifest[] =>
  clusterTopics().map(({ name, partitions, config }) => ({
    apiVersion,
    kind: 'KafkaTopic',
    metadata: metadata(name),
    spec: { partitions, config },
  }))

/** Strimzi's topic operator has an identity of its own for what this one may. */
const keptByOperator = 'topic-admin'

export const kafkaUsers = (): Manifest[] =>
  usersOf(({ name }) => name !== keptByOperator && name !== fused.name)

export const fusedUser = (): Manifest[] => usersOf(({ name }) => name === fused.name)

const usersOf = (isOne: (principal: Principal) => boolean): Manifest[] =>
  principals()
    .filter(isOne)
    .map(({ name, grants }) => ({
      apiVersion,
      kind: 'KafkaUser',
      metadata: metadata(name),
      spec: {
        authentication: { type: 'scram-sha-512' },
        authorization: { type: 'simple', acls: grants.map(toAcl) },
      },
    }))

const toAcl = ({ resource, name, pattern, operations }: Omit<AclRule, 'principal'>) => ({
  resource: { type: resource, name, patternType: pattern === 'prefixed' ? 'prefix' : pattern },
  operations,
})
