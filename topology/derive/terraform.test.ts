// Are the permissions of the topology all there in IAM's words, and no others?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aclRules } from '../src/index.ts'
import { terraformFile } from './terraform.ts'

interface Derived {
  principals: Record<string, { actions: string[]; resources: string[] }[]>
}

const { principals } = JSON.parse(terraformFile()) as Derived
const kinds = { topic: 'topic', group: 'group', transactionalId: 'transactional-id' } as const

/** Who may do this to that, in IAM's words. */
const allowed = (action: string, kind: string): string[] =>
  Object.entries(principals)
    .flatMap(([principal, statements]) =>
      statements
        .filter(({ actions }) => actions.includes(`kafka-cluster:${action}`))
        .flatMap(({ resources }) => resources)
        .filter((resource) => resource.startsWith(`${kind}/`))
        .map((resource) => `${principal} ${resource}`),
    )
    .toSorted()

for (const [operation, resource, action] of [
  ['Read', 'topic', 'ReadData'],
  ['Write', 'topic', 'WriteData'],
  ['Create', 'topic', 'CreateTopic'],
  ['Alter', 'topic', 'AlterTopic'],
  ['AlterConfigs', 'topic', 'AlterTopicDynamicConfiguration'],
  ['Read', 'group', 'AlterGroup'],
  ['Write', 'transactionalId', 'AlterTransactionalId'],
] as const) {
  test(`terraformFile - ${action} is whose ACLs say ${operation} of a ${resource}`, () => {
    const kind = kinds[resource]
    const expected = aclRules()
      .filter((rule) => rule.resource === resource && rule.operations.includes(operation))
      .map(({ principal, name, pattern }) => {
        return `${principal} ${kind}/${name}${pattern === 'prefixed' ? '*' : ''}`
      })
    assert.ok(expected.length > 0)
    assert.deepEqual(allowed(action, kind), expected.toSorted())
  })
}

test('terraformFile - nobody may do anything to the cluster but connect and write idempotently', () => {
  for (const [principal, statements] of Object.entries(principals)) {
    const onCluster = statements.filter(({ resources }) => resources.includes('cluster'))
    const actions = new Set(onCluster.flatMap((statement) => statement.actions))
    actions.delete('kafka-cluster:Connect')
    actions.delete('kafka-cluster:WriteDataIdempotently')
    assert.equal(actions.size, 0, principal)
  }
})
