// How does a file appear under its name only when it is whole?
import { FatalError, TransientError, messageOf } from '@churnstream/runtime'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Installation } from './installation.ts'

/** Where something is written before it is whole. */
export interface Draft extends AsyncDisposable {
  readonly file: string
  /** Gives it its name; until then, and without it, nothing is seen there. */
  publish(): Promise<void>
}

/** @param target a local path or s3://bucket/key */
export async function openDraft(target: string, installation: Installation): Promise<Draft> {
  if (!target.startsWith('s3://')) {
    // Beside its place: a rename does not cross file systems.
    const name = `.${basename(target)}.${randomBytes(4).toString('hex')}.tmp`
    const file = join(dirname(target), name)
    await attemptFile(`writing ${target}`, async () => (await open(file, 'w')).close())
    return {
      file,
      publish: () =>
        attemptFile(`writing ${target}`, async () => {
          await using handle = await open(file, 'r+')
          await handle.sync()
          await rename(file, target)
        }),
      [Symbol.asyncDispose]: () => rm(file, { force: true }),
    }
  }
  const folder = await openScratch()
  const file = join(folder.path, basename(target))
  return {
    file,
    publish: () => installation.objects().upload(file, target),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

export interface Scratch extends AsyncDisposable {
  readonly path: string
}

/** A folder of our own among the system's temporary ones. */
export async function openScratch(): Promise<Scratch> {
  const path = await attemptFile('making a temporary folder', () =>
    mkdtemp(join(tmpdir(), 'churnstream-batch-')),
  )
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** SHA-256 of a file, in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await attemptFile(`reading ${file}`, async () => {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer)
    }
  })
  return hash.digest('hex')
}

/** Time, or somebody who clears a disk, mends these. */
const transient = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY', 'ESTALE'])

/** @throws FatalError or TransientError for what the file system says */
export async function attemptFile<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw fileTrouble(what, error)
  }
}

export function fileTrouble(what: string, error: unknown): unknown {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  if (typeof code !== 'string' || typeof syscall !== 'string') return error
  if (transient.has(code)) return new TransientError(what, { cause: error })
  return new FatalError(`${what}: ${messageOf(error)}`)
}
