// Which variables lead to the stack that runs: those of the environment, or those a demo left?
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryDir } from './places.mjs'

/** A running demo leaves its variables in this file of its data folder. */
export const environmentFile = 'environment.json'
export const usualDataDir = join(repositoryDir, '.data')

/** Undefined when MLFLOW_TRACKING_URI is not set and no demo runs on the folder. */
export function runningVariables(
  env: Readonly<Record<string, string | undefined>>,
  dataDir: string,
): Record<string, string> | undefined {
  const own = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  if (own['MLFLOW_TRACKING_URI'] !== undefined) {
    const { S3_ENDPOINT: endpoint } = own
    // What Python calls the same thing.
    return endpoint === undefined ? own : { MLFLOW_S3_ENDPOINT_URL: endpoint, ...own }
  }
  const file = join(dataDir, environmentFile)
  if (!existsSync(file)) return undefined
  return { ...own, ...(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) }
}

export const noStack = (dataDir: string): string =>
  `there is no stack: MLFLOW_TRACKING_URI is not set, and no demo runs on ${dataDir}. ` +
  'Start `npm run demo` in another terminal, or set the variables (see --help).'
