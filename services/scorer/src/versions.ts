// Which versions are loaded, in which thread, and who still needs them?
import type { RegistryEvent } from '@churnstream/schemas'
import type { Projection, VectorView } from '@churnstream/schemas/model'
import type { Log } from '@churnstream/runtime'
import type { Engine, Scored } from './engine.ts'
import type { Admit, GateFigures } from './gates.ts'
import { ModelRefused } from './refused.ts'
import { RunFailed } from './engine.ts'
import type { RunnerName } from './runner.ts'
import type { LoadableModel } from './worker.ts'

/** Champions and the versions before them share a thread; challengers have one of their own. */
export type Thread = 'serving' | 'shadow'

export interface Version {
  readonly modelName: string
  readonly modelVersion: string
  readonly figures: GateFigures
  readonly runner: RunnerName
  /** Why ONNX Runtime scores it; empty where the forest kernel does. */
  readonly whyNoForest: string
  /** Probability of churn for each vector, in order. @throws RunFailed */
  score(thread: Thread, vectors: readonly VectorView[]): Promise<Scored>
}

/** A claim on a version in a thread; it stays loaded there until every claim is released. */
export interface Claim {
  readonly version: Version
  /** A further claim on the same. */
  share(): Claim
  release(): void
}

export interface Versions {
  /**
   * A version that is loaded already is handed out at once, without passing the gates again.
   * @throws ModelRefused @throws TransientError
   */
  claim(event: RegistryEvent, thread: Thread): Promise<Claim>
}

interface Loaded {
  readonly version: Version
  readonly model: LoadableModel
  readonly sessions: Map<Thread, { model: number; claims: number }>
}

export function createVersions(options: {
  readonly admit: Admit
  readonly engines: Readonly<Record<Thread, Engine>>
  readonly log: Log
}): Versions {
  const { admit, engines, log } = options
  const loaded = new Map<string, Loaded>()
  /** One at a time: a trial takes a core for a moment. */
  let queue: Promise<unknown> = Promise.resolve()

  async function load(event: RegistryEvent): Promise<Loaded> {
    const { onnx, runner, whyNoForest, projection, figures } = await admit(event)
    const sessions: Loaded['sessions'] = new Map()
    const { modelName, modelVersion } = event
    const score = scorerOf(projection, sessions)
    const version = { modelName, modelVersion, figures, runner, whyNoForest, score }
    return { version, model: { onnx, runner, width: projection.width }, sessions }
  }

  function scorerOf(projection: Projection, sessions: Loaded['sessions']): Version['score'] {
    return (thread, vectors) => {
      const session = sessions.get(thread)
      if (session === undefined) throw new Error(`the version is not loaded in thread ${thread}`)
      return engines[thread].score(session.model, projection.rows(vectors), projection.width)
    }
  }

  async function claim(event: RegistryEvent, thread: Thread): Promise<Claim> {
    const id = identityOf(event)
    const entry = loaded.get(id) ?? (await load(event))
    let session = entry.sessions.get(thread)
    if (session === undefined) {
      const model = await engines[thread].load(entry.model).catch((error: unknown) => {
        if (!(error instanceof RunFailed)) throw error
        throw new ModelRefused('onnx-unreadable', error.message, { cause: error })
      })
      session = { model, claims: 0 }
      entry.sessions.set(thread, session)
    }
    loaded.set(id, entry)
    return claimOf(id, entry, thread)
  }

  function claimOf(id: string, entry: Loaded, thread: Thread): Claim {
    const session = entry.sessions.get(thread) as { model: number; claims: number }
    session.claims++
    let released = false
    return {
      version: entry.version,
      share: () => claimOf(id, entry, thread),
      release() {
        if (released) return
        released = true
        if (--session.claims > 0) return
        entry.sessions.delete(thread)
        if (entry.sessions.size === 0) loaded.delete(id)
        engines[thread]
          .release(session.model)
          .catch((error: unknown) => log.warn({ err: error }, 'a model was not released'))
      },
    }
  }

  return {
    claim(event, thread) {
      const result = queue.then(() => claim(event, thread))
      queue = result.catch(() => undefined)
      return result
    },
  }
}

/** Name, version and bytes: other bytes under the same version are another version. */
function identityOf({ modelName, modelVersion, artifactLocation, files }: RegistryEvent): string {
  const digests = files.map(({ path, sha256 }) => `${path}:${sha256}`).join()
  return `${modelName} ${modelVersion} ${artifactLocation} ${digests}`
}
