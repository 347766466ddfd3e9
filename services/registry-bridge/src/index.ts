// What do tests and the command line need of the bridge? Its parts.
export { createS3Folders, type DescribeFolder } from './artifacts.ts'
export { createBridge, type Bridge, type BridgeOptions } from './bridge.ts'
export { aliases, modelNamePrefix, modelTags, versionTags } from './contract.ts'
export { keyOf, reconcile, type Announced, type Registered } from './core/reconcile.ts'
export {
  createMlflow,
  MlflowRefused,
  type Mlflow,
  type ModelVersion,
  type RegisteredModel,
  type Webhook,
} from './mlflow.ts'
export {
  MoveRefused,
  pin,
  promote,
  rollBack,
  type Move,
  type PromoteOptions,
  type RollBackOptions,
} from './moves.ts'
