// What do training and tests need of the features service? Its core and its processor.
export {
  PartitionState,
  type Look,
  type Outcome,
  type Result,
  type Vector,
} from './core/partition.ts'
export { horizonDays, labelLatenessDays, silenceDueDays } from './core/labels.ts'
export { bytesPerPlayer, dayMs, dayOf, lateDays, recentIds } from './core/players.ts'
export type { Features } from './core/vector.ts'
export { createEncoders, createFeatureProcessor } from './processor.ts'
