// What do the fault tests need of the verifier?
export type { Breach, BreachKind } from './core/breach.ts'
export { reportText } from './report.ts'
export { verifyRunning } from './running.ts'
export type { Verified } from './verify.ts'
