// What do tests need of the bridge? Its parts.
export { createS3Folders, type DescribeFolder } from './artifacts.ts'
export { runBridge } from './bridge.ts'
export { keyOf, reconcile, type Announced, type Registered } from './core/reconcile.ts'
export { createMlflow, type Mlflow } from './mlflow.ts'
