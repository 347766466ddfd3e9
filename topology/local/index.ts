// What does the local stack offer to the demo, the tests and the benchmarks?
export {
  startStack,
  type KafkaListener,
  type PartName,
  type Secured,
  type Stack,
  type StackOptions,
} from './stack.ts'
export { grantAccess } from './access.ts'
export { certificatesIn } from './certificates.ts'
export type { Crash, OnCrash, Server } from './server.ts'
export type { S3Location } from './s3.ts'
export { askDagster, dagsterVariables, startDagster, type Dagster } from './dagster.ts'
export { createOwner, tailOf } from './owner.ts'
export type { ChildOptions, Exit, OwnedProcess, Owner } from './owner.ts'
export { familyOf, isAlive, rssBytesOf } from './family.ts'
export { environmentFile, noStack, runningVariables, usualDataDir } from './running.ts'
export { makeClusterId, makeFernetKey, openDataDir } from './data-dir.ts'
export { databases } from './postgres.ts'
export { chooseDagsterPort, freePorts } from './ports.ts'
export {
  cacheDir,
  findCheckers,
  findJava,
  findPrometheus,
  findPython,
  outputOf,
  venvPython,
} from './places.mjs'
