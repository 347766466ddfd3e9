// What does the scorer expose beside its loop?
import type { Metric } from './metric.ts'

export const scorerMetrics = {
  scores: {
    name: 'churnstream_scores_total',
    kind: 'counter',
    help: 'Scores by model and version',
    unit: 'records',
    labels: ['model', 'version'],
  },
  score: {
    name: 'churnstream_score_ratio',
    kind: 'histogram',
    help: 'Scores of the champions',
    unit: 'ratio',
    labels: [],
    buckets: Array.from({ length: 20 }, (_, bin) => (bin + 1) / 20),
  },
  modelEpoch: {
    name: 'churnstream_model_epoch',
    kind: 'gauge',
    help: 'Epoch of the registry event whose version is loaded, by model@alias',
    unit: 'epoch',
    labels: ['key'],
  },
  modelLoaded: {
    name: 'churnstream_model_loaded_timestamp_seconds',
    kind: 'gauge',
    help: 'When the version was loaded that stands under this alias',
    unit: 'instant',
    labels: ['key', 'version'],
  },
  modelRefused: {
    name: 'churnstream_model_refused',
    kind: 'gauge',
    help: '1 while the newest announced version of this alias stands refused or left its guard',
    unit: 'boolean',
    labels: ['key'],
  },
  refused: {
    name: 'churnstream_models_refused_total',
    kind: 'counter',
    help: 'Announced versions that were not taken into service, or that left their guard',
    unit: 'versions',
    labels: ['key', 'reason'],
  },
  swapSeconds: {
    name: 'churnstream_model_swap_seconds',
    kind: 'histogram',
    help: 'Time from the registry event to the version being loaded',
    unit: 'seconds',
    labels: [],
    buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
  },
} as const satisfies Record<string, Metric>
