// May a service what its loop does?
import { aclRules, services, type Service } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reachOf, transactionalIdOf } from './take-over.ts'

test('aclRules - a lane may write all that its transactions reach, under its id', () => {
  for (const service of Object.values(services) as Service[]) {
    const [topic, ...alongside] = service.consumes
    if (topic === undefined) continue
    const principal = service.within ?? service.name
    const own = aclRules().filter((rule) => rule.principal === principal)
    const may = (resource: string, name: string, operation: 'Read' | 'Write') =>
      own.some(
        (rule) =>
          rule.resource === resource &&
          rule.operations.includes(operation) &&
          (rule.pattern === 'literal' ? rule.name === name : name.startsWith(rule.name)),
      )
    const { partitions, groupId = '' } = reachOf(service, topic, 0, alongside)
    for (const reached of partitions) {
      assert.ok(may('topic', reached.topic, 'Write'), `${principal} writes ${reached.topic}`)
    }
    assert.ok(may('group', groupId, 'Read'), `${principal} joins ${groupId}`)
    const id = transactionalIdOf(service, topic, 0)
    assert.ok(may('transactionalId', id, 'Write'), `${principal} writes as ${id}`)
  }
})
