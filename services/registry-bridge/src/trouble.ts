// Which errors are about the world, so that the same is tried again?
import { isAway } from '@churnstream/runtime'
import { MlflowRefused } from './mlflow.ts'

/**
 * A refusal of MLflow too: what we ask for was named by MLflow itself a moment ago, so it was changed
 * meanwhile, or our rights were.
 */
export const isTrouble = (error: unknown): boolean =>
  isAway(error) || error instanceof MlflowRefused
