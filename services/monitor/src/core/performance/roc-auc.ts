// How probable is it that a player who leaves has the higher score, and how sure is that?
import type { Labelled, Measured } from './labelled.ts'

/**
 * Area under the ROC curve with DeLong's standard error (DeLong, DeLong and Clarke-Pearson 1988, by
 * mid-ranks as Sun and Xu 2014). NaN unless both answers occur; ties count half.
 */
export function rocAuc(rows: Labelled): Measured {
  const { value, ofChurned, ofStayed } = placements(rows)
  const variance = varianceOf(ofChurned) / ofChurned.length + varianceOf(ofStayed) / ofStayed.length
  return { value, standardError: Math.sqrt(variance) }
}

/**
 * Difference of two models' areas on the same rows, second less first, with the standard error of
 * the pair: much smaller than that of two samples, because hard rows are hard for both.
 */
export function rocAucDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  churned: ArrayLike<number>,
): Measured {
  const a = placements({ scores: first, churned })
  const b = placements({ scores: second, churned })
  const gained = (of: 'ofChurned' | 'ofStayed') =>
    b[of].map((value, i) => value - (a[of][i] as number))
  const [ofChurned, ofStayed] = [gained('ofChurned'), gained('ofStayed')]
  const variance = varianceOf(ofChurned) / ofChurned.length + varianceOf(ofStayed) / ofStayed.length
  return { value: b.value - a.value, standardError: Math.sqrt(variance) }
}

/** Standard error that an area of this size has by its sizes alone (Hanley and McNeil 1982). */
export function hanleyMcNeilError(auc: number, churned: number, stayed: number): number {
  const q1 = auc / (2 - auc)
  const q2 = (2 * auc * auc) / (1 + auc)
  const variance =
    auc * (1 - auc) + (churned - 1) * (q1 - auc * auc) + (stayed - 1) * (q2 - auc * auc)
  return Math.sqrt(variance / (churned * stayed))
}

interface Placements {
  readonly value: number
  /** For each row its share of the other answer's rows that it stands above. */
  readonly ofChurned: Float64Array
  readonly ofStayed: Float64Array
}

function placements({ scores, churned }: Labelled): Placements {
  const all = Float64Array.from(scores)
  const isChurned = (_: number, row: number) => churned[row] === 1
  const isStayed = (_: number, row: number) => churned[row] !== 1
  const ranks = midRanks(all)
  const above = (of: (score: number, row: number) => boolean, others: number): Float64Array => {
    const own = midRanks(all.filter(of))
    return ranks.filter(of).map((rank, index) => (rank - (own[index] as number)) / others)
  }
  const left = all.filter(isChurned).length
  const stayed = all.length - left
  const ofChurned = above(isChurned, stayed)
  return {
    value: sumOf(ofChurned) / left,
    ofChurned,
    ofStayed: above(isStayed, left).map((share) => 1 - share),
  }
}

/** Ranks from 1; equal values share the mean of theirs. */
function midRanks(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, index) => index)
  const at = (place: number): number => values[order[place] as number] as number
  order.sort((a, b) => (values[a] as number) - (values[b] as number))
  const ranks = new Float64Array(values.length)
  for (let start = 0; start < order.length;) {
    let end = start
    while (end < order.length && at(end) === at(start)) end++
    for (let place = start; place < end; place++) {
      ranks[order[place] as number] = (start + 1 + end) / 2
    }
    start = end
  }
  return ranks
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)

function varianceOf(values: Float64Array): number {
  const mean = sumOf(values) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
}
