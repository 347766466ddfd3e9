// Does everybody get what it needs, and nothing more?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  aclRules,
  clusterTopics,
  connectStorage,
  deadLetterTopic,
  fused,
  icebergControlTopic,
  processIds,
  services,
  transactionalIdPrefixOf,
  warehouseConnectors,
  type AclRule,
  type Operation,
  type Service,
} from './index.ts'

const rules = aclRules()
const having = (operation: Operation, resource: AclRule['resource'], of = rules) =>
  of.filter((rule) => rule.resource === resource && rule.operations.includes(operation))

/** Who has the operation, by name; what is prefixed has a star. */
function holders(
  operation: Operation,
  resource: AclRule['resource'],
  of = rules,
): Record<string, string[]> {
  const holding = having(operation, resource, of)
  const nameOf = ({ name, pattern }: AclRule) => (pattern === 'literal' ? name : `${name}*`)
  return Object.fromEntries(
    [...Map.groupBy(holding, nameOf)].map(([name, held]) => [
      name,
      held.map(({ principal }) => principal).toSorted(),
    ]),
  )
}

// By hand: who gains a right is seen here by a person.
test('aclRules - who writes each topic', () => {
  assert.deepEqual(holders('Write', 'topic'), {
    'player-activity': ['dead-letters', 'ingestion'],
    'player-activity.dlq': ['dead-letters', 'features', 'fused'],
    'player-state': ['dead-letters', 'features', 'fused'],
    'feature-vectors': ['dead-letters', 'features', 'fused'],
    'feature-vectors.dlq': ['dead-letters', 'fused', 'scorer'],
    'player-outcomes': ['dead-letters', 'features', 'fused'],
    'player-outcomes.dlq': ['dead-letters', 'monitor'],
    'churn-scores': ['dead-letters', 'fused', 'scorer'],
    'churn-scores.dlq': ['dead-letters', 'monitor', 'sinks'],
    'shadow-scores': ['dead-letters', 'fused', 'scorer'],
    'shadow-scores.dlq': ['dead-letters', 'monitor'],
    'load-reports': ['dead-letters', 'fused', 'scorer'],
    'privacy-requests': ['dead-letters', 'privacy'],
    'privacy-requests.dlq': ['dead-letters', 'features', 'fused'],
    'privacy-confirmations': ['dead-letters', 'features', 'fused', 'monitor', 'privacy'],
    'privacy-confirmations.dlq': ['dead-letters', 'monitor'],
    'registry-events': ['registry-bridge'],
    'monitor-state': ['dead-letters', 'monitor'],
    'monitoring-partials': ['dead-letters', 'monitor'],
    'monitoring-partials.dlq': ['dead-letters', 'monitor'],
    'assessor-state': ['dead-letters', 'monitor'],
    'model-monitoring': ['dead-letters', 'monitor'],
    'retraining-requests': ['dead-letters', 'model-cli', 'monitor', 'orchestration'],
    'backfill-scores': ['replay'],
    'dead-letter-receipts': ['dead-letters'],
    'connect-*': ['kafka-connect'],
  })
})

test('aclRules - who reads each topic', () => {
  // The proof of an erasure reads everything.
  const others = rules.filter(({ principal }) => principal !== 'privacy')
  assert.deepEqual(holders('Read', 'topic', others), {
    'player-activity': ['dead-letters', 'features', 'fused', 'orchestration', 'replay', 'verifier'],
    'player-activity.dlq': ['dead-letters', 'verifier'],
    'player-state': ['features', 'fused', 'verifier'],
    'feature-vectors': ['dead-letters', 'fused', 'monitor', 'scorer', 'verifier'],
    'feature-vectors.dlq': ['dead-letters', 'verifier'],
    'player-outcomes': ['dead-letters', 'monitor', 'verifier'],
    'player-outcomes.dlq': ['dead-letters'],
    'churn-scores': ['dead-letters', 'kafka-connect', 'monitor', 'sinks', 'verifier'],
    'churn-scores.dlq': ['dead-letters', 'verifier'],
    'shadow-scores': ['dead-letters', 'monitor'],
    'shadow-scores.dlq': ['dead-letters'],
    'privacy-requests': ['dead-letters', 'features', 'fused'],
    'privacy-requests.dlq': ['dead-letters', 'verifier'],
    'privacy-confirmations': ['dead-letters', 'monitor', 'orchestration', 'replay', 'verifier'],
    'privacy-confirmations.dlq': ['dead-letters'],
    'load-reports': ['model-cli', 'orchestration', 'registry-bridge'],
    'registry-events': [
      'fused',
      'kafka-connect',
      'model-cli',
      'monitor',
      'orchestration',
      'registry-bridge',
      'scorer',
    ],
    'monitor-state': ['monitor'],
    'monitoring-partials': ['dead-letters', 'monitor'],
    'monitoring-partials.dlq': ['dead-letters'],
    'assessor-state': ['monitor'],
    'model-monitoring': ['monitor', 'orchestration', 'registry-bridge'],
    'retraining-requests': ['orchestration'],
    'backfill-scores': ['replay'],
    'dead-letter-receipts': ['dead-letters'],
    'connect-*': ['kafka-connect'],
  })
})

test('aclRules - who joins each group, and writes under each transactional id', () => {
  assert.deepEqual(holders('Read', 'group'), {
    features: ['dead-letters', 'features', 'fused'],
    scorer: ['dead-letters', 'fused', 'scorer'],
    sinks: ['dead-letters', 'sinks'],
    monitor: ['dead-letters', 'monitor'],
    assessor: ['dead-letters', 'monitor'],
    'replay.*': ['replay'],
    'connect-*': ['kafka-connect'],
    'churnstream-orchestration': ['orchestration'],
    'churnstream-verifier': ['verifier'],
  })
  assert.deepEqual(holders('Write', 'transactionalId'), {
    'churnstream.features.*': ['dead-letters', 'features', 'fused'],
    'churnstream.scorer.*': ['dead-letters', 'fused', 'scorer'],
    'churnstream.fused.*': ['dead-letters', 'features', 'fused', 'scorer'],
    'churnstream.sinks.*': ['dead-letters', 'sinks'],
    'churnstream.monitor.*': ['dead-letters', 'monitor'],
    'churnstream.assessor.*': ['dead-letters', 'monitor'],
    'churnstream.registry-bridge': ['registry-bridge'],
    'churnstream.replay.*': ['replay'],
    'churnstream.dead-letters': ['dead-letters'],
    'connect-*': ['kafka-connect'],
  })
})

test('aclRules - only the admin makes or changes topics, and nobody has the cluster', () => {
  for (const operation of ['Create', 'Alter', 'AlterConfigs'] as const) {
    for (const { principal, name } of having(operation, 'topic')) {
      assert.ok(principal === 'topic-admin' || name === 'connect-', `${principal} ${name}`)
    }
  }
  assert.deepEqual(
    having('Create', 'topic').flatMap(({ principal, name }) =>
      principal === 'topic-admin' ? [name] : [],
    ),
    clusterTopics()
      .map(({ name }) => name)
      .toSorted(),
  )
  assert.deepEqual(
    rules.filter(({ resource }) => (resource as string) === 'cluster'),
    [],
  )
})

test('aclRules - a prefix covers nothing but its own', () => {
  const names = new Set(clusterTopics().map(({ name }) => name))
  const connects = new Set([
    ...Object.values(connectStorage),
    ...warehouseConnectors().map(({ deadLetters }) => deadLetters),
    icebergControlTopic,
  ])
  for (const { resource, name, pattern } of rules.filter((rule) => rule.resource === 'topic')) {
    if (pattern === 'literal') assert.ok(names.has(name), `${resource} ${name} exists`)
    else assert.deepEqual(new Set([...names].filter((other) => other.startsWith(name))), connects)
  }
  const prefixes = [...Object.values(services), fused].map(transactionalIdPrefixOf)
  for (const prefix of prefixes) {
    assert.deepEqual(
      prefixes.filter((other) => other.startsWith(prefix)),
      [prefix],
    )
  }
})

test('aclRules - every service may what its place in the topology says', () => {
  for (const service of Object.values(services) as Service[]) {
    const principal = service.within ?? service.name
    const may = (operation: Operation, name: string) =>
      rules.some(
        (rule) =>
          rule.principal === principal &&
          rule.resource === 'topic' &&
          rule.name === name &&
          rule.operations.includes(operation) &&
          rule.operations.includes('Describe'),
      )
    const { consumes, follows, looksUp = [], produces, state } = service
    for (const { name } of [...consumes, ...follows, ...looksUp, ...state]) {
      assert.ok(may('Read', name), `${principal} reads ${name}`)
    }
    const letters = consumes.map((topic) => ({ name: deadLetterTopic(topic) }))
    for (const { name } of [...produces, ...state, ...letters]) {
      assert.ok(may('Write', name), `${principal} writes ${name}`)
    }
  }
  assert.ok(
    processIds.every((id) => rules.some(({ principal }) => principal === services[id].name)),
  )
})
