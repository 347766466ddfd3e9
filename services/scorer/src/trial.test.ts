// Who serves a candidate, and is it tried where it can harm nobody?
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { goldenRows, parseGolden } from './core/golden.ts'
import { onnxOf, type Branch } from './forest/testing.ts'
import { ModelRefused } from './refused.ts'
import { createTrial } from './trial.ts'

const tryModel = createTrial(60_000)
const folder = new URL('../../end-to-end/golden/model/', import.meta.url)
const rows = Float32Array.from([0, 1, 2, 3, 4, NaN])
const request = (onnx: Uint8Array) => ({ onnx, rows, width: 1, maxMilliseconds: 100 })
const split: Branch = {
  mode: 'BRANCH_LT',
  feature: 0,
  value: 2,
  isNullTrue: false,
  yes: -0.5,
  no: 0.5,
}

test('createTrial - a forest is scored by the kernel, which agrees with ONNX Runtime and is cheaper', async () => {
  const columns = JSON.parse(readFileSync(new URL('columns.json', folder), 'utf8')) as string[]
  const golden = parseGolden(readFileSync(new URL('golden.json', folder), 'utf8'), columns)
  const trial = await tryModel({
    onnx: readFileSync(new URL('model.onnx', folder)),
    rows: goldenRows(golden),
    width: columns.length,
    maxMilliseconds: 1_000,
  })
  const { runner, whyNoForest, microsecondsPerRow, scores } = trial
  assert.deepEqual([runner, whyNoForest, scores.length], ['forest', '', golden.rows.length])
  assert.ok(Number(microsecondsPerRow.forest) < microsecondsPerRow.onnxruntime)
})

test('createTrial - what the kernel does not know is scored by ONNX Runtime, and it says why', async () => {
  const trial = await tryModel(
    request(onnxOf({ width: 1, trees: [{ ...split, mode: 'BRANCH_NEQ' }] })),
  )
  assert.equal(trial.runner, 'onnxruntime')
  assert.match(trial.whyNoForest, /BRANCH_NEQ/)
  assert.equal(trial.microsecondsPerRow.forest, undefined)
  assert.equal(trial.scores.length, rows.length)
})

test('createTrial - where the kernel and ONNX Runtime differ, ONNX Runtime serves', async () => {
  // ONNX Runtime 1.30 misplaces the trees when a leaf alone comes before a set of categories. The
  // golden rows, which are XGBoost's, refuse such a model afterwards.
  const either: Branch = { ...split, mode: 'BRANCH_EQ', value: 4 }
  const trees = [-0.5, { ...either, value: 2, yes: either.yes, no: either }]
  const trial = await tryModel(request(onnxOf({ width: 1, trees })))
  assert.equal(trial.runner, 'onnxruntime')
  assert.match(trial.whyNoForest, /^row \d+ of those made up has .+, ONNX Runtime says/)
  assert.equal(trial.microsecondsPerRow.forest, undefined)
})

test('createTrial - a file that ONNX Runtime can not open is refused', async () => {
  await assert.rejects(
    tryModel(request(Uint8Array.of(1, 2, 3))),
    (error) => error instanceof ModelRefused && error.reason === 'onnx-unreadable',
  )
})
