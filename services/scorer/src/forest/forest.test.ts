// Does the kernel answer as the plain walk and as ONNX Runtime do, to the bit?
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { openRunner } from '../runner.ts'
import { createRandom, edgeRows } from './edge-rows.ts'
import { NoForest, readEnsemble } from './ensemble.ts'
import { openForest } from './forest.ts'
import { onnxOf, walk, type Branch, type ModelParts, type Node } from './testing.ts'

const width = 7
const rowCount = 700
const modes = ['BRANCH_LT', 'BRANCH_LEQ', 'BRANCH_GT', 'BRANCH_GTE'] as const
/** Among them the neighbours of each other, both zeros and the ends of float32. */
const odd = [0, -0, 2 ** -149, -(2 ** -149), 1, 1 + 2 ** -23, 3.4028234663852886e38, -(2 ** -100)]

type Random = (limit: number) => number
const leafOf = (random: Random): number => Math.fround(random(2_000_001) / 1e6 - 1)

/**
 * No tree of ours but a whole forest of leaves is a leaf alone: see trial.test.ts.
 *
 * @param distinct how many thresholds a feature may have
 */
function treeOf(random: Random, depth: number, distinct: number, isRoot = true): Node {
  if (depth === 0 || (!isRoot && random(8) === 0)) return leafOf(random)
  const number = Math.fround(random(distinct) / 16 - distinct / 32)
  const yes = treeOf(random, depth - 1, distinct, false)
  const no = treeOf(random, depth - 1, distinct, false)
  const isNullTrue = random(2) === 1
  const feature = random(width)
  // The last features are categories.
  if (feature >= width - 2) return chainOf(feature, random, isNullTrue, yes, no)
  const value = random(6) === 0 ? (odd[random(odd.length)] as number) : number
  return { mode: modes[random(4)] ?? 'BRANCH_LT', feature, value, isNullTrue, yes, no }
}

function chainOf(
  feature: number,
  random: Random,
  isNullTrue: boolean,
  yes: Node,
  no: Node,
): Branch {
  let chain = no
  for (let left = 1 + random(4); left > 0; left--) {
    const value = random(feature === width - 1 ? 300 : 9)
    chain = { mode: 'BRANCH_EQ', feature, value, isNullTrue, yes, no: chain }
  }
  return chain as Branch
}

function forestOf(seed: number, trees: number, depth: number, distinct = 40): ModelParts {
  const random = createRandom(seed)
  return {
    width,
    base: leafOf(random),
    trees: Array.from({ length: trees }, () => treeOf(random, depth, distinct)),
  }
}

/** A tree of one path, deeper than any that is padded. */
function chainTree(depth: number): Node {
  const random = createRandom(depth)
  let tree: Node = leafOf(random)
  for (let level = depth; level > 0; level--) {
    const [leaf, value] = [leafOf(random), level / 4]
    const isLeft = level % 3 === 0
    tree = {
      mode: 'BRANCH_LT',
      feature: level % (width - 2),
      value,
      isNullTrue: level % 2 === 0,
      yes: isLeft ? tree : leaf,
      no: isLeft ? leaf : tree,
    }
  }
  return tree
}

const examplesOf = (seed: number): Float32Array => {
  const random = createRandom(seed)
  return Float32Array.from({ length: width * 50 }, (_, index) =>
    index % width < width - 2 ? random(400) / 16 - 12 : random(12),
  )
}

async function assertSame(parts: ModelParts, seed = 1): Promise<void> {
  const onnx = onnxOf(parts)
  const ensemble = readEnsemble(onnx, width)
  const rows = edgeRows(ensemble, examplesOf(seed), rowCount, seed)
  const margins = openForest({ ...ensemble, isLogistic: false }).score(rows)
  for (let row = 0; row < rowCount; row++) {
    const values = rows.subarray(row * width, (row + 1) * width)
    const expected = walk(parts.trees, Math.fround(parts.base ?? 0), values)
    assert.ok(
      Object.is(margins[row], expected),
      `row ${row} [${values.join()}]: ${margins[row]}, ${expected}`,
    )
  }
  const oracle = await openRunner('onnxruntime', onnx, width)
  assert.deepEqual(openForest(ensemble).score(rows), await oracle.score(rows))
  await oracle.release()
}

test('openForest - forests of every depth and mode, categories among them', async () => {
  for (let depth = 0; depth <= 12; depth++) await assertSame(forestOf(depth, 12, depth), depth + 1)
})

test('openForest - more thresholds and categories than a byte counts', async () => {
  await assertSame(forestOf(7, 150, 6, 20_000))
})

test('openForest - one leaf, one tree, two thousand trees', async () => {
  await assertSame({ width, trees: [0.25] })
  await assertSame(forestOf(3, 1, 6))
  await assertSame(forestOf(4, 2_000, 3))
})

test('openForest - trees of one long path', async () => {
  await assertSame({ width, trees: [chainTree(33), 0.5, chainTree(200)], base: -0.125 })
})

test('openForest - numbers of a file may be packed', async () => {
  await assertSame({ ...forestOf(5, 5, 4), isPacked: true })
})

test('openForest - a row has the same bits alone and in any batch', () => {
  const ensemble = readEnsemble(onnxOf(forestOf(6, 40, 9)), width)
  const rows = edgeRows(ensemble, examplesOf(6), 600)
  const forest = openForest(ensemble)
  const whole = forest.score(rows)
  for (const size of [1, 3, 15, 17, 256, 257]) {
    const parts = Array.from({ length: Math.ceil(600 / size) }, (_, part) =>
      forest.score(rows.subarray(part * size * width, (part + 1) * size * width)),
    )
    assert.deepEqual(
      parts.flatMap((part) => [...part]),
      [...whole],
      `batches of ${size}`,
    )
  }
})

test('openForest - no rows have no scores', () => {
  const ensemble = readEnsemble(onnxOf(forestOf(6, 2, 2)), width)
  assert.deepEqual(openForest(ensemble).score(new Float32Array()), new Float32Array())
})

test('openForest - a model of ours on its golden rows and at every edge', async () => {
  const folder = new URL('../../../end-to-end/golden/model/', import.meta.url)
  const onnx = readFileSync(new URL('model.onnx', folder))
  const golden = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8')) as {
    columns: string[]
    rows: (number | null)[][]
  }
  const columns = golden.columns.length
  const ensemble = readEnsemble(onnx, columns)
  const examples = Float32Array.from(golden.rows.flat(), (value) => value ?? NaN)
  const oracle = await openRunner('onnxruntime', onnx, columns)
  for (const rows of [examples, edgeRows(ensemble, examples, 4_000)]) {
    assert.deepEqual(openForest(ensemble).score(rows), await oracle.score(rows))
  }
})

test('readEnsemble - what it does not know is left to another engine', () => {
  const below = { feature: 0, value: 1, isNullTrue: true, yes: 0.5, no: -0.5 }
  const tree: Branch = { ...below, mode: 'BRANCH_LT' }
  const refused = (parts: Partial<ModelParts>, why: RegExp): void =>
    assert.throws(
      () => readEnsemble(onnxOf({ width, trees: [tree], ...parts }), width),
      (error) => error instanceof NoForest && why.test(error.message),
    )
  refused({ transform: 'SOFTMAX' }, /SOFTMAX/)
  refused({ trees: [{ ...tree, mode: 'BRANCH_NEQ' }] }, /BRANCH_NEQ/)
  refused({ trees: [{ ...tree, feature: width }] }, /no feature 7/)
  refused({ trees: [{ ...tree, mode: 'BRANCH_LT', value: NaN }] }, /NaN/)
  refused({ trees: [{ ...tree, mode: 'BRANCH_LEQ', value: Infinity }] }, /Infinity/)
  refused({ trees: [chainTree(1_100)] }, /1000 levels/)
})
