// How does a cluster learn who may do what?
import type { AclOperationTypes, AclResourceTypes, Admin } from 'kafkajs'
import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { aclRules, type AclResource, type AclRule, type Operation } from '../src/index.ts'

// Node finds only some of its names in an import.
const kafkajs = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs')

const resources: Record<AclResource, AclResourceTypes> = {
  topic: kafkajs.AclResourceTypes.TOPIC,
  group: kafkajs.AclResourceTypes.GROUP,
  transactionalId: kafkajs.AclResourceTypes.TRANSACTIONAL_ID,
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

const pollMs = 20
const withinMs = 10_000

/** Every rule of the topology, from every host, as its admin; returns when the broker goes by them. */
export async function grantAccess(brokers: readonly string[]): Promise<void> {
  const kafka = new kafkajs.Kafka({
    brokers: [...brokers],
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 5_000,
  })
  const acls = aclRules().flatMap(toAcls)
  const admin = kafka.admin()
  await admin.connect()
  try {
    await admin.createAcls({ acl: acls })
    const deadline = Date.now() + withinMs
    // A controller answers before its brokers have heard.
    while ((await known(admin)) < acls.length) {
      if (Date.now() > deadline) throw new Error(`not every rule is known within ${withinMs} ms`)
      await delay(pollMs)
    }
  } finally {
    await admin.disconnect()
  }
}

async function known(admin: Admin): Promise<number> {
  const { resources: found } = await admin.describeAcls({
    resourceType: kafkajs.AclResourceTypes.ANY,
    resourcePatternType: kafkajs.ResourcePatternTypes.ANY,
    operation: kafkajs.AclOperationTypes.ANY,
    permissionType: kafkajs.AclPermissionTypes.ANY,
  })
  return found.reduce((sum, { acls }) => sum + acls.length, 0)
}
