// Is there enough history to give the features of an instant?

/** Windows of the catalogue reach this far back. */
export const windowDays = 30
const dayMs = 86_400_000

export interface OldestKept {
  readonly partition: number
  /** The oldest offset that retention has left. */
  readonly first: number
  /** Event time that the partition had reached there; undefined: nothing is kept at all. */
  readonly reachedAt: number | undefined
}

export interface CutHistory {
  /** Everything from here on is there; what is older is not known whole. */
  readonly knownSinceAt: number
  /** Partitions whose first records are gone. */
  readonly partitions: readonly number[]
}

/** Undefined when retention has taken nothing. */
export function cutHistory(oldest: readonly OldestKept[]): CutHistory | undefined {
  const cut = oldest.filter(({ first }) => first > 0)
  if (cut.length === 0) return undefined
  const reached = cut.map(({ reachedAt }) => reachedAt ?? Infinity)
  return {
    knownSinceAt: Math.max(...reached),
    partitions: cut.map(({ partition }) => partition),
  }
}

/**
 * Why the vectors from fromAt on can't be made; undefined when they can. What depends on a player's
 * whole life can be given up by acceptCut, the windows can't.
 */
export function historyProblem(
  topic: string,
  cut: CutHistory | undefined,
  fromAt: number,
  acceptCut: boolean,
): string | undefined {
  if (cut === undefined) return undefined
  const { knownSinceAt, partitions } = cut
  const where = `retention has removed the beginning of ${topic} (partitions ${partitions.join(', ')})`
  if (knownSinceAt === Infinity) return `${where}, and nothing is left in one of them`
  const earliestAt = knownSinceAt + windowDays * dayMs
  const since = new Date(knownSinceAt).toISOString()
  if (fromAt < earliestAt) {
    return (
      `${where}: activity is whole since ${since}, and features look ${windowDays} days back. The ` +
      `earliest start is ${new Date(earliestAt).toISOString()}; what is older must come from files ` +
      '(--from-source FOLDER or s3://…)'
    )
  }
  if (acceptCut) return undefined
  return (
    `${where}: activity is whole since ${since}. The windows are complete, but of players who were ` +
    'there before, tenure_days, acquisition_source, first_product, losing_streak and the time since ' +
    'older bets, deposits and sessions would differ from the stream. Replay files that hold all ' +
    '(--from-source FOLDER or s3://…), or say --accept-cut-history'
  )
}
