// How do the rows of a file become scores, decoded here while the thread scores those before?
import { bandOf } from '@churnstream/scorer'
import { RowProblem, toInstant, toMarket, toPlayerId } from './core/cells.ts'
import { fillColumn, keyNames, nameOf, type RowPlan } from './core/row-plan.ts'
import type { ScoreRow } from './core/score-row.ts'
import type { PinnedModel } from './model.ts'
import type { RowBatch, Rows } from './row-batch.ts'
import type { SeenKeys } from './seen-keys.ts'

/** A row that was not scored. */
export interface Reject {
  readonly source: string
  readonly row: number
  /** A slug. */
  readonly reason: string
  readonly detail: string
  /** What the file has there. */
  readonly values: unknown
}

/** Every row of a file is in exactly one part, as a score or as a reject. */
export interface ScoredPart {
  /** Rows that were read now. */
  readonly rowsIn: number
  readonly scores: readonly ScoreRow[]
  readonly rejects: readonly Reject[]
}

export interface ScoreSettings {
  /** For rows that have none. Milliseconds since 1970. */
  readonly asOf: number | undefined
  readonly market: string | undefined
  /** Rows without a player and an as_of are rejected. */
  readonly needsKeys: boolean
}

/** Rows of one call, and calls that wait for the thread at most. */
const callRows = 4_096
const maxWaiting = 4
/** Rejected rows whose values are read together. */
const rejectsAtOnce = 20_000

interface Keys {
  readonly playerId: string | null
  readonly asOf: number | null
  readonly market: string | null
}

interface Prepared {
  readonly cells: Float32Array<ArrayBuffer>
  /** Indexes of the batch that can be scored. */
  readonly good: readonly number[]
  /** By index of the batch. */
  readonly keys: readonly (Keys | undefined)[]
  readonly problems: ReadonlyMap<number, RowProblem>
}

/** @throws FatalError, TransientError, RunFailed */
export async function* scoreRows(options: {
  readonly model: PinnedModel
  readonly source: string
  readonly rows: Rows
  readonly plan: RowPlan
  readonly settings: ScoreSettings
  readonly seen: SeenKeys
}): AsyncGenerator<ScoredPart> {
  const { model, source, rows, plan, settings, seen } = options
  const waiting: Promise<ScoredPart>[] = []
  for await (const batch of rows.batches()) {
    const prepared = await prepare(batch, rows.isText, plan, settings, seen)
    for await (const rejects of rejectsOf(source, batch, prepared.problems)) {
      yield { rowsIn: 0, scores: [], rejects }
    }
    yield { rowsIn: batch.length, scores: [], rejects: [] }
    for (let start = 0; start < prepared.good.length; start += callRows) {
      const some = prepared.good.slice(start, start + callRows)
      const scored = scoreSome(model, source, batch, prepared, some)
      // Told where it is awaited.
      scored.catch(() => undefined)
      waiting.push(scored)
      if (waiting.length > maxWaiting) yield await (waiting.shift() as Promise<ScoredPart>)
    }
  }
  for (const scored of waiting) yield await scored
}

async function prepare(
  batch: RowBatch,
  isText: boolean,
  plan: RowPlan,
  settings: ScoreSettings,
  seen: SeenKeys,
): Promise<Prepared> {
  const { length } = batch
  const width = plan.fillers.length
  const problems = new Map(batch.problems)
  const cells = new Float32Array(length * width)
  const categories = new Map<string, ArrayLike<unknown>>()
  for (const [at, filler] of plan.fillers.entries()) {
    const name = nameOf(filler)
    let column = categories.get(name) ?? (await batch.column(name))
    if (filler.kind === 'category' && !categories.has(name)) {
      if (name === keyNames.market) column = withMarket(column, settings.market)
      categories.set(name, column)
    }
    fillColumn(column, filler, isText, cells, width, at, problems)
  }
  const players = await batch.column(keyNames.player)
  const instants = await batch.column(keyNames.asOf)
  const markets = await batch.column(keyNames.market)
  const keys: (Keys | undefined)[] = []
  const good: number[] = []
  for (let index = 0; index < length; index++) {
    const found = problems.has(index)
      ? undefined
      : keysOf(players[index], instants[index], markets[index], settings, seen)
    if (found instanceof RowProblem) problems.set(index, found)
    else if (found !== undefined) good.push(index)
    keys.push(found instanceof RowProblem ? undefined : found)
  }
  return { cells, good, keys, problems }
}

const withMarket = (cells: ArrayLike<unknown>, market: string | undefined): ArrayLike<unknown> =>
  market === undefined
    ? cells
    : Array.from(cells, (cell) =>
        cell === undefined || cell === null || cell === '' ? market : cell,
      )

function keysOf(
  player: unknown,
  instant: unknown,
  marketCell: unknown,
  { needsKeys, ...usual }: ScoreSettings,
  seen: SeenKeys,
): Keys | RowProblem {
  const playerId = toPlayerId(player)
  if (playerId instanceof RowProblem) return playerId
  const told = toInstant(instant)
  if (told instanceof RowProblem) return told
  const given = toMarket(marketCell)
  if (given instanceof RowProblem) return given
  const asOf = told ?? usual.asOf ?? null
  const market = given ?? usual.market ?? null
  if (needsKeys && playerId === null) {
    return new RowProblem('missing-player', 'player_id is nothing')
  }
  if (needsKeys && asOf === null) {
    return new RowProblem('missing-as-of', 'as_of is nothing: --as-of gives it to every such row')
  }
  if (playerId !== null && asOf !== null && !seen.add(`${asOf} ${playerId}`)) {
    const when = new Date(asOf).toISOString()
    return new RowProblem('duplicate-key', `${playerId} as of ${when} stands before`)
  }
  return { playerId, asOf, market }
}

async function scoreSome(
  model: PinnedModel,
  source: string,
  batch: RowBatch,
  { cells, keys }: Prepared,
  some: readonly number[],
): Promise<ScoredPart> {
  const width = cells.length / batch.length
  const rows = new Float32Array(some.length * width)
  for (const [place, index] of some.entries()) {
    rows.set(cells.subarray(index * width, (index + 1) * width), place * width)
  }
  const probabilities = await model.score(rows)
  const scores: ScoreRow[] = []
  const failed = new Map<number, RowProblem>()
  for (const [place, index] of some.entries()) {
    const score = probabilities[place] as number
    if (!Number.isFinite(score)) {
      const detail = `version ${model.version} of ${model.name} gave ${score}`
      failed.set(index, new RowProblem('score-not-a-number', detail))
      continue
    }
    const { playerId, asOf, market } = keys[index] as Keys
    scores.push({
      playerId,
      asOf,
      market,
      score,
      band: bandOf(score),
      modelName: model.name,
      modelVersion: model.version,
      source,
      row: batch.first + index,
    })
  }
  const rejects: Reject[] = []
  for await (const more of rejectsOf(source, batch, failed)) rejects.push(...more)
  return { rowsIn: 0, scores, rejects }
}

async function* rejectsOf(
  source: string,
  batch: RowBatch,
  problems: ReadonlyMap<number, RowProblem>,
): AsyncGenerator<Reject[]> {
  const indexes = [...problems.keys()].sort((a, b) => a - b)
  for (let start = 0; start < indexes.length; start += rejectsAtOnce) {
    const some = indexes.slice(start, start + rejectsAtOnce)
    const values = await batch.values(some)
    yield some.map((index, at) => {
      const { reason, detail } = problems.get(index) as RowProblem
      return { source, row: batch.first + index, reason, detail, values: values[at] ?? null }
    })
  }
}
