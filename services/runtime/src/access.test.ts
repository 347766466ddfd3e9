// May a service what its loop does?
import {
  aclRules,
  fused,
  groupOf,
  services,
  transactionalIdPrefixOf,
  type Service,
} from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reachOf, transactionalIdOf } from './take-over.ts'

test('aclRules - a lane may write all that its transactions reach, under its id', () => {
  for (const service of Object.values(services) as Service[]) {
    const [topic, ...alongside] = service.consumes
    if (topic === undefined) continue
    const fusedWith = [fused.first, fused.second].some(({ name }) => name === service.name)
    for (const principal of [service.within ?? service.name, ...(fusedWith ? [fused.name] : [])]) {
      const own = aclRules().filter((rule) => rule.principal === principal)
      const may = (resource: string, name: string, operation: 'Read' | 'Write') =>
        own.some(
          (rule) =>
            rule.resource === resource &&
            rule.operations.includes(operation) &&
            (rule.pattern === 'literal' ? rule.name === name : name.startsWith(rule.name)),
        )
      const { partitions, groupIds = [] } = reachOf(service, topic, 0, alongside)
      for (const reached of partitions) {
        assert.ok(may('topic', reached.topic, 'Write'), `${principal} writes ${reached.topic}`)
      }
      assert.deepEqual(groupIds, [groupOf(service)])
      for (const id of groupIds) assert.ok(may('group', id, 'Read'), `${principal} joins ${id}`)
      const ids = [
        transactionalIdOf(service, topic, 0),
        ...(fusedWith ? [`${transactionalIdPrefixOf(fused)}any`] : []),
      ]
      for (const id of ids) assert.ok(may('transactionalId', id, 'Write'), `${principal} as ${id}`)
    }
  }
})
