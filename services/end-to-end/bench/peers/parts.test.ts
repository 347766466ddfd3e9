import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secondsByPart, shared, type CpuProfile } from './parts.ts'

const frame = (functionName: string, path = '') => ({
  functionName,
  url: path === '' ? '' : `file:///here/${path}`,
})

const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 4, 8] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('(garbage collector)') },
    { id: 4, callFrame: frame('work', 'services/runtime/src/run.ts'), children: [5, 6] },
    { id: 5, callFrame: frame('encode', 'schemas/src/codec.ts'), children: [7] },
    { id: 6, callFrame: frame('apply', 'services/features/src/core/apply.ts') },
    { id: 7, callFrame: frame('utf8Write') },
    {
      id: 8,
      callFrame: frame('encodeRecordBatch', 'services/runtime/src/kafkajs/record-batch.ts'),
    },
  ],
  startTime: 1e6,
  samples: [2, 3, 4, 5, 7, 6, 8],
  timeDeltas: [9e6, 1e6, 2e6, 3e6, 4e6, 5e6, 6e6],
}

test('secondsByPart - goes by the innermost frame that a part owns, and leaves idle time out', () => {
  assert.deepEqual(secondsByPart(profile, 0, 1e6), {
    fetch: 0,
    decode: 0,
    fold: 5,
    score: 0,
    encode: 7,
    produce: 6,
    commit: 0,
    'collecting garbage': 1,
    'the rest': 2,
  })
})

test('secondsByPart - counts what was sampled between the instants', () => {
  const { encode, fold, produce } = secondsByPart(profile, 15_000, 25_000)
  assert.deepEqual([encode, fold, produce], [7, 5, 0])
})

test('shared - spreads the processor time of a process over the parts of its threads', () => {
  const thread = secondsByPart(profile, 0, 1e6)
  const costs = shared([thread, thread], 10.5)
  assert.equal(costs.encode, 3.5)
  assert.equal(
    Object.values(costs).reduce((sum, seconds) => sum + seconds, 0),
    10.5,
  )
})
