// Which servers does a replay need, and when?
import { openInstallation, type Installation } from '@churnstream/batch'
import { FatalError, openCluster, type Cluster } from '@churnstream/runtime'
import { noStack, runningVariables } from '@churnstream/topology/local'

/** Nothing is connected before it is asked for: a replay of files into files needs no server. */
export interface Connection extends AsyncDisposable {
  readonly installation: Installation
  /** @throws FatalError that says how to name it */
  cluster(): Cluster
}

/** What a verb works in. */
export interface World {
  readonly connection: Connection
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

export function connect(
  env: Readonly<Record<string, string | undefined>>,
  dataDir: string,
): Connection {
  const variables = runningVariables(env, dataDir) ?? env
  const installation = openInstallation(env, dataDir)
  let cluster: Cluster | undefined
  return {
    installation,
    cluster() {
      const { KAFKA_BOOTSTRAP_SERVERS: servers, SCHEMA_REGISTRY_URL: url } = variables
      if (servers === undefined || url === undefined) throw new FatalError(noStack(dataDir))
      cluster ??= openCluster(variables, 'replay')
      return cluster
    },
    async [Symbol.asyncDispose]() {
      await cluster?.kafka.close()
      await installation[Symbol.asyncDispose]()
    },
  }
}
