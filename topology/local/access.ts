// How does a cluster learn who may do what?
import type { AclOperationTypes, AclResourceTypes } from 'kafkajs'
import { createRequire } from 'node:module'
import { aclRules, type AclResource, type AclRule, type Operation } from '../src/index.ts'

// Node finds only some of its names in an import.
const kafkajs = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs')

const resources: Record<AclResource, AclResourceTypes> = {
  topic: kafkajs.AclResourceTypes.TOPIC,
  group: kafkajs.AclResourceTypes.GROUP,
  transactionalId: kafkajs.AclResourceTypes.TRANSACTIONAL_ID,
  cluster: kafkajs.AclResourceTypes.CLUSTER,
}
const operations: Record<Operation, AclOperationTypes> = {
  Read: kafkajs.AclOperationTypes.READ,
  Write: kafkajs.AclOperationTypes.WRITE,
  Create: kafkajs.AclOperationTypes.CREATE,
  Describe: kafkajs.AclOperationTypes.DESCRIBE,
  Alter: kafkajs.AclOperationTypes.ALTER,
  DescribeConfigs: kafkajs.AclOperationTypes.DESCRIBE_CONFIGS,
  AlterConfigs: kafkajs.AclOperationTypes.ALTER_CONFIGS,
}

const patterns = {
  literal: kafkajs.ResourcePatternTypes.LITERAL,
  prefixed: kafkajs.ResourcePatternTypes.PREFIXED,
}

const toAcls = ({ principal, resource, name, pattern, operations: granted }: AclRule) =>
  granted.map((operation) => ({
    resourceType: resources[resource],
    resourceName: name,
    resourcePatternType: patterns[pattern],
    principal: `User:${principal}`,
    host: '*',
    operation: operations[operation],
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
  }))

/** Every rule of the topology, from every host, as its admin. */
export async function grantAccess(brokers: readonly string[]): Promise<void> {
  const kafka = new kafkajs.Kafka({
    brokers: [...brokers],
    logLevel: kafkajs.logLevel.NOTHING,
  })
  const admin = kafka.admin()
  await admin.connect()
  try {
    await admin.createAcls({ acl: aclRules().flatMap(toAcls) })
  } finally {
    await admin.disconnect()
  }
}
