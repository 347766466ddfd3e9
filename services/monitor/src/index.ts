// What do the drift table and tests of the whole need of the monitor? Its core.
export {
  Assessor,
  noMemory,
  type Assessed,
  type AssessorSettings,
  type Held,
} from './core/assessor.ts'
export { binsOf } from './core/bins.ts'
export { isControl } from './core/control.ts'
export { usualInputSettings } from './core/inputs.ts'
export { usualPerformanceSettings } from './core/performance-of.ts'
export { PlayerDays, chanceOf, type Score } from './core/player-days.ts'
export { usualPolicySettings } from './core/policy.ts'
export { parseProfile, type Profile } from './core/profile.ts'
export { watchedPartitions } from './inputs.ts'
export { createProfiles, createS3Reader } from './profiles.ts'
export { settingsOf } from './settings.ts'
export { config } from './config.ts'
