// What does the scorer count beside its loop?
import {
  createCounter,
  createDistribution,
  createGauge,
  createHistogram,
  type Metrics,
} from '@churnstream/runtime'
import { scorerMetrics } from '@churnstream/topology'
import type { ModelsOptions } from './models.ts'

export type ScorerMetrics = ReturnType<typeof createScorerMetrics>

export function createScorerMetrics({ registry }: Metrics) {
  return {
    scores: createCounter(registry, scorerMetrics.scores),
    score: createDistribution(registry, scorerMetrics.score).of({}),
    modelEpoch: createGauge(registry, scorerMetrics.modelEpoch),
    modelLoaded: createGauge(registry, scorerMetrics.modelLoaded),
    modelRefused: createGauge(registry, scorerMetrics.modelRefused),
    refused: createCounter(registry, scorerMetrics.refused),
    swapSeconds: createHistogram(registry, scorerMetrics.swapSeconds),
  }
}

/** What becomes of announced versions; a key shows the version that stands under it, and no other. */
export function countModels(
  scorer: ScorerMetrics,
): Pick<ModelsOptions, 'onSwap' | 'onRefused' | 'onRemoved'> {
  const shown = new Map<string, string>()
  const hide = (key: string): void => {
    const version = shown.get(key)
    if (version !== undefined) scorer.modelLoaded.remove({ key, version })
    shown.delete(key)
  }
  return {
    onSwap(key, { modelVersion, epoch, tookMs, loadedAt }) {
      hide(key)
      shown.set(key, modelVersion)
      scorer.modelLoaded.set({ key, version: modelVersion }, loadedAt / 1000)
      scorer.modelEpoch.set({ key }, epoch)
      scorer.modelRefused.set({ key }, 0)
      scorer.swapSeconds.observe(tookMs / 1000)
    },
    onRefused(key, reason) {
      scorer.modelRefused.set({ key }, 1)
      scorer.refused.inc({ key, reason })
    },
    onRemoved(key) {
      hide(key)
      scorer.modelEpoch.remove({ key })
      scorer.modelRefused.remove({ key })
    },
  }
}
