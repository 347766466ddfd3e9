// Do the changes bring the topic to what the registry says, and never back?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, reconcile, type Announced, type Registered } from './reconcile.ts'

const champion = (modelVersion: string, sha256 = 'aa'): Registered => ({
  modelName: 'churn-default',
  alias: 'champion',
  modelVersion,
  artifactLocation: `s3://bucket/${modelVersion}`,
  files: [{ path: 'model.onnx', sha256, sizeBytes: 1 }],
})

function apply(announced: Map<string, Announced>, registered: readonly Registered[]): number {
  const changes = reconcile(announced, registered, 'reconcile')
  for (const { key, event } of changes) {
    announced.set(key, { event, epoch: event?.epoch ?? announced.get(key)?.epoch ?? 0 })
  }
  return changes.length
}

test('reconcile - says nothing when nothing changed', () => {
  const announced = new Map<string, Announced>()
  assert.equal(apply(announced, [champion('1')]), 1)
  assert.equal(apply(announced, [champion('1')]), 0)
})

test('reconcile - a rollback is a new epoch with an older version', () => {
  const announced = new Map<string, Announced>()
  for (const version of ['1', '2', '1']) apply(announced, [champion(version)])
  const { event } = announced.get(keyOf(champion('1'))) as Announced
  assert.deepEqual([event?.modelVersion, event?.epoch], ['1', 3])
})

test('reconcile - other bytes under the same version are a change', () => {
  const announced = new Map<string, Announced>()
  apply(announced, [champion('1')])
  assert.equal(apply(announced, [champion('1', 'bb')]), 1)
})

test('reconcile - a removed alias is announced once, and its epoch goes on when it returns', () => {
  const announced = new Map<string, Announced>()
  apply(announced, [champion('1')])
  assert.equal(apply(announced, []), 1)
  assert.equal(announced.get('churn-default@champion')?.event, null)
  assert.equal(apply(announced, []), 0)
  apply(announced, [champion('1')])
  assert.equal(announced.get('churn-default@champion')?.event?.epoch, 2)
})
