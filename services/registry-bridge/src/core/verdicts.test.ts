// Is the verdict that MLflow hears the one that counts?
import type { LoadReport } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addVerdict,
  isOutweighed,
  mergedVerdict,
  noVerdicts,
  verdictIn,
  type Verdict,
} from './verdicts.ts'

const given = (changes: Partial<Verdict>): Verdict => ({
  modelName: 'churn-gb',
  alias: 'champion',
  modelVersion: '7',
  epoch: 1,
  verdict: 'accepted',
  reason: '',
  detail: '',
  at: 1_000,
  replica: 'a',
  scorerVersion: '0.1.0',
  figures: {},
  ...changes,
})
const merged = (...verdicts: Partial<Verdict>[]) =>
  mergedVerdict(verdicts.map(given).reduce(addVerdict, noVerdicts))

test('mergedVerdict - one that refuses outweighs all that accept', () => {
  const found = merged(
    { replica: 'a' },
    { replica: 'b', verdict: 'refused', reason: 'memory' },
    { replica: 'c', at: 9_000 },
  )
  assert.deepEqual([found?.verdict, found?.reason, found?.replica], ['refused', 'memory', 'b'])
})

test('mergedVerdict - a newer epoch begins anew, an older one says nothing any more', () => {
  assert.equal(merged({ verdict: 'refused' }, { epoch: 2, replica: 'b' })?.verdict, 'accepted')
  assert.equal(merged({ epoch: 2 }, { verdict: 'refused', replica: 'b' })?.verdict, 'accepted')
})

test('mergedVerdict - a replica may change its mind within an epoch', () => {
  assert.equal(merged({}, { verdict: 'unhealthy', at: 2_000 })?.verdict, 'unhealthy')
  assert.equal(merged({ verdict: 'refused' }, { at: 2_000 })?.verdict, 'accepted')
})

test('mergedVerdict - unhealthy as champion stays, though the version loads as previous later', () => {
  const found = merged(
    { verdict: 'unhealthy', epoch: 9 },
    { alias: 'previous', epoch: 3, at: 5_000 },
  )
  assert.deepEqual([found?.verdict, found?.alias], ['unhealthy', 'champion'])
  const again = merged(
    { verdict: 'unhealthy', epoch: 9 },
    { alias: 'previous', epoch: 3, at: 5_000 },
    { epoch: 11, at: 6_000 },
  )
  assert.equal(again?.verdict, 'accepted')
})

test('mergedVerdict - otherwise the newest across aliases counts, in whatever order they come', () => {
  const refused = { alias: 'challenger', verdict: 'refused', at: 1_000 } as const
  const accepted = { alias: 'champion', at: 2_000 } as const
  assert.equal(merged(refused, accepted)?.verdict, 'accepted')
  assert.equal(merged(accepted, refused)?.verdict, 'accepted')
})

test('isOutweighed - what MLflow has stays when it is newer, or unhealthy and only loaded elsewhere', () => {
  const at = 1_000
  assert.equal(isOutweighed({ verdict: undefined, at: undefined }, given({ at })), false)
  assert.equal(isOutweighed({ verdict: 'refused', at: 2_000 }, given({ at })), true)
  assert.equal(isOutweighed({ verdict: 'refused', at: 500 }, given({ at })), false)
  const unhealthy = { verdict: 'unhealthy', at: 500 }
  assert.equal(isOutweighed(unhealthy, given({ at, alias: 'previous' })), true)
  assert.equal(isOutweighed(unhealthy, given({ at, alias: 'champion' })), false)
  assert.equal(isOutweighed(unhealthy, given({ at, alias: 'previous', verdict: 'refused' })), false)
})

test('verdictIn - nothing before the first verdict, and nothing that we do not know', () => {
  const report: LoadReport = {
    modelName: 'churn-gb',
    alias: 'champion',
    replica: 'a',
    scorerVersion: '0.1.0',
    reportedAt: 5_000,
    loadedVersion: null,
    loadedEpoch: -1,
    loadedAt: null,
    verdictVersion: '7',
    verdictEpoch: 3,
    verdict: 'refused',
    reason: 'golden-rows',
    detail: 'row 3',
    verdictAt: 4_000,
    verdictFigures: [{ name: 'loadMs', value: 12 }],
    shadowFigures: [],
  }
  assert.deepEqual(verdictIn(report), {
    ...given({ epoch: 3, verdict: 'refused', reason: 'golden-rows', detail: 'row 3', at: 4_000 }),
    figures: { loadMs: 12 },
  })
  assert.equal(verdictIn({ ...report, verdictVersion: null, verdict: 'none' }), undefined)
  assert.equal(verdictIn({ ...report, verdict: 'paused' }), undefined)
})
