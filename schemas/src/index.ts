// What is a record? The one door to schemas/.
export { activityProblem, type ActivityProblem } from './activity.ts'
export * from './catalogue.ts'
export * from './codec.ts'
export * from './privacy.ts'
export * from './records.ts'
export * from './registry.ts'
export type * from './types.ts'
