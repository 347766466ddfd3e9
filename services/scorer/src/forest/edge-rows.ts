// Which rows tell two readings of a forest apart?
import { nextFloat, type Ensemble, type Split, type Tree } from './ensemble.ts'

const extremes = [0, -0, Infinity, -Infinity, 2 ** -149, -(2 ** -149), 3e38, -3e38, NaN]
/** One value in so many is an extreme one, whatever the trees ask for. */
const extremeEvery = 24

/**
 * Each row walks down one tree at random and stands at the edge of every split that it passes: at
 * the threshold itself, at the last number below it, or it is NaN where NaN goes the same way. The
 * other columns are those of an example. The same seed gives the same rows.
 *
 * @param examples row-major rows, one at least
 */
export function edgeRows(
  { trees, width }: Pick<Ensemble, 'trees' | 'width'>,
  examples: Float32Array,
  count: number,
  seed = 1,
): Float32Array<ArrayBuffer> {
  const random = createRandom(seed)
  const rows = new Float32Array(count * width)
  const exampleCount = examples.length / width
  for (let index = 0; index < count; index++) {
    const row = rows.subarray(index * width, (index + 1) * width)
    const from = random(exampleCount) * width
    row.set(examples.subarray(from, from + width))
    for (let column = 0; column < width; column++) {
      if (random(extremeEvery) === 0) row[column] = extremes[random(extremes.length)] as number
    }
    let at: Tree = trees[index % trees.length] as Tree
    while (typeof at !== 'number') {
      const goesHigh = random(2) === 1
      row[at.feature] = atEdge(at, goesHigh, random)
      at = goesHigh ? at.high : at.low
    }
  }
  return rows
}

function atEdge({ test, isNullHigh }: Split, goesHigh: boolean, random: Random): number {
  if (isNullHigh === goesHigh && random(4) === 0) return NaN
  if (typeof test === 'number') return goesHigh ? test : -nextFloat(-test)
  const member = test[random(test.length)] as number
  return goesHigh ? member : random(2) === 0 ? member + 1 : member - 1
}

/** A whole number below the limit. */
export type Random = (limit: number) => number

export function createRandom(seed: number): Random {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
