// How do challengers score beside the champions without holding them up?
import type { VectorView } from '@churnstream/schemas/model'
import { messageOf, type Log } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { isSampled } from './core/shadow.ts'
import { routeOf } from './core/routing.ts'
import type { Engine } from './engine.ts'
import type { Challenger, Routing } from './models.ts'

export interface ShadowSettings {
  /** Share of the players whose vectors a challenger sees. */
  readonly sample: number
  /** How long scores wait for a challenger once the champions are done. */
  readonly waitMs: number
}

/** A challenger's score of one vector of the batch. */
export interface Shadowed {
  readonly challenger: Challenger
  readonly score: number
}

export interface ShadowRun {
  /** By the vector's index in the batch; without those that did not come in time. */
  finish(): Promise<ReadonlyMap<number, Shadowed>>
}

/** A batch that finds this many rows before it is left out. */
const maxPendingRows = 4_000

/** Begins at once, in the challengers' own thread. */
export function startShadows(
  routing: Routing,
  vectors: readonly VectorView[],
  engine: Pick<Engine, 'pendingRows'>,
  { sample, waitMs }: ShadowSettings,
  log: Log,
): ShadowRun {
  if (routing.challengers.byName.size === 0) return { finish: async () => new Map() }
  const groups = new Map<Challenger, number[]>()
  for (const [index, { market, playerId }] of vectors.entries()) {
    const challenger = routeOf(routing.challengers, market)
    if (challenger === undefined || !isSampled(playerId, sample)) continue
    const group = groups.get(challenger)
    if (group) group.push(index)
    else groups.set(challenger, [index])
  }
  const runs = [...groups].map(async ([challenger, indexes]) => {
    if (engine.pendingRows > maxPendingRows) return { challenger, indexes, scores: undefined }
    const chosen = indexes.map((index) => vectors[index] as VectorView)
    try {
      const { scores, microseconds } = await challenger.version.score('shadow', chosen)
      challenger.sums.shadowMicroseconds += microseconds
      return { challenger, indexes, scores }
    } catch (error) {
      const { modelName, modelVersion } = challenger.version
      log.warn({ modelName, modelVersion, reason: messageOf(error) }, 'the challenger failed')
      return { challenger, indexes, scores: undefined }
    }
  })
  return {
    async finish() {
      const timeout = new AbortController()
      const late = delay(waitMs, undefined, { signal: timeout.signal }).catch(() => undefined)
      const shadowed = new Map<number, Shadowed>()
      const inTime = await Promise.all(runs.map((run) => Promise.race([run, late])))
      timeout.abort()
      const groupsInOrder = [...groups]
      for (const [at, result] of inTime.entries()) {
        const [challenger, indexes] = groupsInOrder[at] as [Challenger, number[]]
        if (result?.scores === undefined) {
          challenger.sums.skippedRows += indexes.length
          continue
        }
        for (const [position, index] of indexes.entries()) {
          const score = result.scores[position] as number
          if (Number.isFinite(score)) shadowed.set(index, { challenger, score })
          else challenger.sums.skippedRows++
        }
      }
      return shadowed
    },
  }
}
