// What do others need of the features service? Its core, its processor, and the service itself.
export {
  PartitionState,
  playersPerClock,
  type Look,
  type Outcome,
  type PartitionOptions,
  type Result,
  type Vector,
} from './core/partition.ts'
export { horizonDays, labelLatenessDays, silenceDueDays } from './core/labels.ts'
export { dayMs, dayOf, lateDays, recentIds } from './core/block.ts'
export type { Features } from './core/vector.ts'
export { openFeatures } from './open.ts'
export { createEncoders, createFeatureProcessor } from './processor.ts'
