// What does the scorer count beside what every service counts?
import type { Metrics } from '@churnstream/runtime'
import { Counter, Gauge, Histogram } from 'prom-client'

export function createScorerMetrics({ registry }: Metrics) {
  const registers = [registry]
  return {
    scores: new Counter({
      name: 'churnstream_scores_total',
      help: 'Scores by model and version',
      labelNames: ['model', 'version'],
      registers,
    }),
    latency: new Histogram({
      name: 'churnstream_event_to_score_seconds',
      help: 'Time from the activity record to its score, before the commit',
      buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 30],
      registers,
    }),
    modelEpoch: new Gauge({
      name: 'churnstream_model_epoch',
      help: 'Epoch of the registry event whose version is loaded, by model@alias',
      labelNames: ['key'],
      registers,
    }),
    refused: new Counter({
      name: 'churnstream_models_refused_total',
      help: 'Announced versions that were not taken into service, or that left their guard',
      labelNames: ['key', 'reason'],
      registers,
    }),
    swapSeconds: new Histogram({
      name: 'churnstream_model_swap_seconds',
      help: 'Time from the registry event to the version being loaded',
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
      registers,
    }),
  }
}
