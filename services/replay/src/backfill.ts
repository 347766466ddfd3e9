// How does a range of activity become scores by a pinned version?
import { PartitionState } from '@churnstream/features'
import { FatalError } from '@churnstream/runtime'
import type { VectorView } from '@churnstream/schemas/model'
import type { PinnedVectorModel, ScoreRow } from '@churnstream/batch'
import { imbalance, sumOf, type PartitionCounts } from './core/counts.ts'
import type { Plan } from './core/plan.ts'
import { emptyFolded, fold, type Folded } from './core/step.ts'
import { ahead, type Source } from './source.ts'
import { Views } from './views.ts'

/** Scores that are written together. */
export interface ScoredChunk {
  readonly views: readonly VectorView[]
  /** Not a number: there is no score. */
  readonly scores: Float32Array
  /** Of the partition: every input before it is done once this is written. */
  readonly next: number
}

/** Where the scores of a partition go. */
export interface Lane extends AsyncDisposable {
  /** What inputs before it gave rise to was written by an earlier run. */
  readonly next: number
  /** Scores that an earlier run has written. */
  readonly written: number
  write(chunk: ScoredChunk): Promise<void>
  /** All is written: says so where it can be seen. */
  finish(counts: PartitionCounts, next: number): Promise<void>
}

export interface Target {
  /** Undefined: this partition was finished by an earlier run, with these counts. */
  open(partition: number): Promise<Lane | { readonly finished: PartitionCounts }>
  /** Counts what stands there now; everything is compared in the end. */
  countScores(partition: number): Promise<number>
  /** What stands there, in the order of causes. */
  read(partition: number): AsyncIterable<readonly ScoreRow[]>
  /** Every partition is finished and counted. */
  complete(partitions: readonly PartitionCounts[]): Promise<void>
}

export interface Backfilled {
  readonly partitions: readonly PartitionCounts[]
  readonly total: PartitionCounts
  /** Inputs that were folded in this run: those of finished partitions were not. */
  readonly foldedNow: number
  readonly scoredNow: number
}

export interface BackfillOptions {
  readonly plan: Plan
  readonly source: Source
  readonly model: Pick<PinnedVectorModel, 'scoreVectors'>
  readonly target: Target
  readonly signal: AbortSignal
  /** Of one transaction, about; large enough by default that its cost does not count. */
  readonly chunkVectors?: number
  readonly onProgress: (line: string) => void
}

const usualChunkVectors = 2_000
const progressEveryMs = 5_000

/**
 * Folds each partition from its beginning, as the features service does, and scores the vectors of
 * the range as the scorer does. Folding, scoring and writing overlap, in order.
 * @throws FatalError when what came in and what stands there do not add up
 * @throws TransientError when the world is away, or another run of the id took over
 */
export async function backfill(options: BackfillOptions): Promise<Backfilled> {
  const { source, target, onProgress } = options
  const startedAt = performance.now()
  const progress = { partition: 0, folded: 0, scored: 0 }
  const told = (): string => {
    const seconds = (performance.now() - startedAt) / 1000
    return (
      `partition ${progress.partition} (of 0 to ${source.partitions - 1}): ${progress.folded} records folded, ` +
      `${progress.scored} scored, ${Math.round(progress.folded / seconds)} records/s`
    )
  }
  const timer = setInterval(() => onProgress(told()), progressEveryMs)
  try {
    const partitions: PartitionCounts[] = []
    for (let partition = 0; partition < source.partitions; partition++) {
      progress.partition = partition
      partitions.push(await workThrough(options, partition, progress))
    }
    for (const [partition, counts] of partitions.entries()) {
      await check(target, partition, counts)
    }
    await target.complete(partitions)
    onProgress(told())
    return {
      partitions,
      total: sumOf(partitions),
      foldedNow: progress.folded,
      scoredNow: progress.scored,
    }
  } finally {
    clearInterval(timer)
  }
}

async function workThrough(
  options: BackfillOptions,
  partition: number,
  progress: { folded: number; scored: number },
): Promise<PartitionCounts> {
  const { target, model, onProgress } = options
  const opened = await target.open(partition)
  if ('finished' in opened) {
    onProgress(`partition ${partition} was finished before`)
    return opened.finished
  }
  await using lane = opened
  if (lane.next > 0) onProgress(`partition ${partition} goes on at ${lane.next}`)
  const found: Found = { folded: emptyFolded(), vectors: 0, vectorsBefore: 0, next: 0 }
  const now = { scores: 0, rejected: 0 }
  const chunks = chunksOf(options, partition, lane.next, found, progress)
  for await (const { scoring, ...chunk } of ahead(scored(ahead(chunks, 2), model), 3)) {
    const scored = { ...chunk, scores: await scoring }
    await lane.write(scored)
    const finite = scored.scores.reduce((sum, score) => sum + Number(Number.isFinite(score)), 0)
    now.scores += finite
    now.rejected += scored.views.length - finite
    progress.scored += finite
  }
  const { folded, vectors, vectorsBefore } = found
  if (lane.written > vectorsBefore) {
    throw new FatalError(
      `${lane.written} scores of partition ${partition} stand there from an earlier run, and its ` +
        `records give only ${vectorsBefore} so far: other records were read then`,
    )
  }
  const counts = {
    ...folded,
    vectors,
    scores: lane.written + now.scores,
    rejected: vectorsBefore - lane.written + now.rejected,
  }
  await lane.finish(counts, found.next)
  return counts
}

interface Found {
  readonly folded: Folded
  vectors: number
  /** Of these, those that an earlier run has scored. */
  vectorsBefore: number
  next: number
}

async function* chunksOf(
  { plan, source, signal, chunkVectors = usualChunkVectors }: BackfillOptions,
  partition: number,
  resumeAt: number,
  found: Found,
  progress: { folded: number },
): AsyncGenerator<Omit<ScoredChunk, 'scores'>> {
  const { fromAt, toAt, market } = plan
  const state = new PartitionState({ playersPerClock: source.playersPerClock })
  const toView = new Views(source.name, partition)
  let views: VectorView[] = []
  for await (const steps of source.read(partition)) {
    for (const step of steps) {
      signal.throwIfAborted()
      const result = fold(state, step, found.folded)
      found.next = step.offset + 1
      progress.folded++
      for (const vector of result?.vectors ?? []) {
        if (vector.asOf < fromAt || vector.asOf >= toAt) continue
        if (market !== null && vector.features.market !== market) continue
        found.vectors++
        if (step.offset < resumeAt) found.vectorsBefore++
        else views.push(toView.of(vector, step))
      }
      // All that one input gave rise to stays together: whoever goes on knows where by the last score.
      if (views.length < chunkVectors) continue
      yield { views, next: found.next }
      views = []
    }
  }
  if (views.length > 0) yield { views, next: found.next }
}

/** Asks for the scores of each chunk; the thread answers in order while the next one is folded. */
async function* scored(
  chunks: AsyncIterable<Omit<ScoredChunk, 'scores'>>,
  model: BackfillOptions['model'],
): AsyncGenerator<Omit<ScoredChunk, 'scores'> & { readonly scoring: Promise<Float32Array> }> {
  for await (const chunk of chunks) {
    const scoring = model.scoreVectors(chunk.views)
    // It is thrown where it is awaited.
    scoring.catch(() => undefined)
    yield { ...chunk, scoring }
  }
}

async function check(target: Target, partition: number, counts: PartitionCounts): Promise<void> {
  const problem = imbalance(counts)
  if (problem !== undefined)
    throw new FatalError(`partition ${partition} does not add up: ${problem}`)
  const standing = await target.countScores(partition)
  if (standing === counts.scores) return
  throw new FatalError(
    `partition ${partition} does not add up: ${counts.scores} scores were written, ${standing} stand there`,
  )
}
