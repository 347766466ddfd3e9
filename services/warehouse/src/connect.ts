// How does Kafka Connect answer, and which of its answers may pass?
import { FatalError, TransientError } from '@churnstream/runtime'

const answerTimeoutMs = 30_000

export interface ConnectorStatus {
  readonly connector: Part
  readonly tasks: readonly Part[]
}

export interface Part {
  readonly state: string
  /** Why it failed. */
  readonly trace?: string
}

export interface Connect {
  /** Makes the connector or gives it other settings; the same again change nothing. */
  put(name: string, settings: Readonly<Record<string, string>>): Promise<void>
  status(name: string): Promise<ConnectorStatus>
  /** Starts what failed of it again, where it stood. */
  restartFailed(name: string): Promise<void>
}

/** Calls throw TransientError when Connect is away or busy, FatalError when it refuses. */
export function createConnect(url: string): Connect {
  async function ask(method: string, path: string, body?: unknown): Promise<string> {
    const doing = `${method} ${path}`
    let response: Response
    let text: string
    try {
      response = await fetch(`${url}/connectors/${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(answerTimeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      text = await response.text()
    } catch (cause) {
      throw new TransientError(doing, { cause })
    }
    if (response.ok) return text
    const problem = `${doing}: ${response.status} ${text}`
    // 404: written, not yet read back. 409: its group is being reassigned.
    const mayPass = response.status === 404 || response.status === 409 || response.status >= 500
    throw mayPass ? new TransientError(problem) : new FatalError(problem)
  }
  return {
    put: async (name, settings) => void (await ask('PUT', `${name}/config`, settings)),
    status: async (name) => JSON.parse(await ask('GET', `${name}/status`)) as ConnectorStatus,
    restartFailed: async (name) =>
      void (await ask('POST', `${name}/restart?includeTasks=true&onlyFailed=true`)),
  }
}
