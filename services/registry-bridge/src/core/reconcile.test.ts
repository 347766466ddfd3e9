// Do the changes bring the topic to what the registry says, and never back?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, reconcile, type Announced, type Change, type Registered } from './reconcile.ts'

const champion = (modelVersion: string, sha256 = 'aa'): Registered => ({
  modelName: 'churn-default',
  alias: 'champion',
  modelVersion,
  artifactLocation: `s3://bucket/${modelVersion}`,
  files: [{ path: 'model.onnx', sha256, sizeBytes: 1 }],
})

interface Topic {
  readonly announced: Map<string, Announced>
  endOffset: number
}
const emptyTopic = (): Topic => ({ announced: new Map(), endOffset: 0 })

/** Writes what is missing; each transaction takes an offset per event and one for its end. */
function apply(topic: Topic, registered: readonly Registered[], modelName?: string): Change[] {
  const { announced, endOffset } = topic
  const changes = reconcile(announced, registered, { origin: 'reconcile', endOffset, modelName })
  for (const { key, event } of changes) announced.set(key, { event })
  if (changes.length > 0) topic.endOffset += changes.length + 1
  return changes
}
const epochOf = ({ announced }: Topic, key: string): number | undefined =>
  announced.get(key)?.event?.epoch

const key = 'churn-default@champion'

test('reconcile - says nothing when nothing changed', () => {
  const topic = emptyTopic()
  assert.equal(apply(topic, [champion('1')]).length, 1)
  assert.equal(apply(topic, [champion('1')]).length, 0)
})

test('reconcile - a rollback is a new epoch with an older version', () => {
  const topic = emptyTopic()
  for (const version of ['1', '2', '1']) apply(topic, [champion(version)])
  const { event } = topic.announced.get(keyOf(champion('1'))) as Announced
  assert.deepEqual([event?.modelVersion, event?.epoch], ['1', 3])
})

test('reconcile - other bytes under the same version are a change', () => {
  const topic = emptyTopic()
  apply(topic, [champion('1')])
  const [change] = apply(topic, [champion('1', 'bb')])
  assert.equal(change?.event?.files[0]?.sha256, 'bb')
})

test('reconcile - a removed alias is announced once', () => {
  const topic = emptyTopic()
  apply(topic, [champion('1')])
  assert.deepEqual(apply(topic, []), [{ key, event: null }])
  assert.deepEqual(apply(topic, []), [])
})

test('reconcile - an alias that returns has a higher epoch than ever, also when compaction forgot it', () => {
  const topic = emptyTopic()
  for (let moves = 0; moves < 20; moves++) apply(topic, [champion(String(moves))])
  const before = epochOf(topic, key) as number
  apply(topic, [])
  topic.announced.delete(key)
  apply(topic, [champion('1')])
  assert.ok((epochOf(topic, key) as number) > before)
})

test('reconcile - epochs of a key always rise, whatever compaction leaves', () => {
  const next = random(11)
  const topic = emptyTopic()
  const highest = new Map<string, number>()
  for (let step = 0; step < 5_000; step++) {
    const registered = ['a', 'b', 'c']
      .filter(() => next() < 0.7)
      .map((market) => ({
        ...champion(String(Math.floor(next() * 4))),
        modelName: `churn-${market}`,
      }))
    for (const { event } of apply(topic, registered)) {
      if (event === null) continue
      const known = highest.get(event.modelName) ?? 0
      assert.ok(event.epoch > known, `${event.modelName}: ${event.epoch} after ${known}`)
      highest.set(event.modelName, event.epoch)
    }
    for (const [name, { event }] of topic.announced) {
      if (event === null && next() < 0.3) topic.announced.delete(name)
    }
  }
})

test('reconcile - of one model leaves the keys of others alone', () => {
  const topic = emptyTopic()
  const other = { ...champion('1'), modelName: 'churn-gb' }
  apply(topic, [champion('1'), other])
  assert.deepEqual(apply(topic, [], 'churn-gb'), [{ key: 'churn-gb@champion', event: null }])
  assert.equal(epochOf(topic, key), 1)
})

/** Numerical Recipes' generator: the same numbers everywhere. */
function random(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
}
