import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peersFlags, toPeersOptions } from './options.ts'

const usual = {
  task: peersFlags.task.default,
  guarantee: peersFlags.guarantee.default,
  cores: peersFlags.cores.default,
  load: peersFlags.load.default,
  runs: peersFlags.runs.default,
  events: peersFlags.events.default,
}

test('toPeersOptions - takes all, or a list of what there is, S before F', () => {
  const options = toPeersOptions({ ...usual, task: 'F,S', cores: '2,1', load: 'drain,250' })
  assert.deepEqual(options.tasks, ['S', 'F'])
  assert.deepEqual(options.contenders, [
    'churnstream',
    'churnstream-fused',
    'kafka-streams',
    'java-plain',
    'quix',
  ])
  assert.deepEqual(options.guarantees, ['exactly-once'])
  assert.deepEqual(options.cores, [1, 2])
  assert.deepEqual(options.loads, ['drain', 250])
  assert.deepEqual(toPeersOptions({ ...usual, contender: 'quix' }).contenders, ['quix'])
})

test('toPeersOptions - refuses what there is not, and says what there is', () => {
  const refused = [
    [
      { contender: 'flink' },
      /--contender takes all, or of: churnstream, churnstream-fused, kafka-streams/,
    ],
    [{ task: 'S,G' }, /--task takes all, or of: S, F/],
    [{ cores: '3' }, /of: 1, 2/],
    [{ load: 'drain,0' }, /--load takes drain, or events a second/],
    [{ runs: '1.5' }, /--runs 1\.5/],
  ] as const
  for (const [flags, reason] of refused) {
    assert.throws(() => toPeersOptions({ ...usual, ...flags }), reason)
  }
})
