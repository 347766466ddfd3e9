// How is a folder of results kept, on a disk or in S3?
import {
  attemptFile,
  openDraft,
  openScratch,
  sha256Of,
  type Installation,
} from '@churnstream/batch'
import { FatalError } from '@churnstream/runtime'
import { link, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Copy extends AsyncDisposable {
  readonly file: string
}

/** What is written appears whole or not at all. @throws FatalError @throws TransientError */
export interface Folder {
  /** Where a file of this name is. */
  locate(name: string): string
  readJson(name: string): Promise<unknown>
  writeJson(name: string, value: unknown): Promise<void>
  /**
   * Only when there is none of this name. In S3 two at the same instant may both write: the later
   * one stays.
   */
  createJson(name: string, value: unknown): Promise<void>
  /** A local file of the same content, which may be the file itself. */
  copy(name: string): Promise<Copy>
  /** undefined: there is no such file. */
  sha256(name: string): Promise<string | undefined>
}

/** @param location a local folder, which is made, or s3://bucket/prefix */
export async function openFolder(location: string, installation: Installation): Promise<Folder> {
  const isS3 = location.startsWith('s3://')
  const base = location.replace(/\/+$/, '')
  const locate = (name: string): string => (isS3 ? `${base}/${name}` : join(base, name))
  if (!isS3) await attemptFile(`making ${base}`, () => mkdir(base, { recursive: true }))

  async function copyIfThere(name: string): Promise<Copy | undefined> {
    const place = locate(name)
    if (!isS3) {
      if (!(await isThere(place))) return undefined
      return { file: place, [Symbol.asyncDispose]: async () => undefined }
    }
    const objects = installation.objects()
    const found = await objects.find(place)
    if (found === undefined) return undefined
    await using resources = new AsyncDisposableStack()
    const scratch = resources.use(await openScratch())
    const file = join(scratch.path, name)
    await objects.download(found, file)
    const owned = resources.move()
    return { file, [Symbol.asyncDispose]: () => owned.disposeAsync() }
  }

  async function withFile<T>(
    name: string,
    work: (file: string) => Promise<T>,
  ): Promise<T | undefined> {
    await using copy = await copyIfThere(name)
    return copy === undefined ? undefined : work(copy.file)
  }

  async function draft(name: string, value: unknown) {
    const opened = await openDraft(locate(name), installation)
    await writeFile(opened.file, `${JSON.stringify(value, null, 2)}\n`)
    return opened
  }

  return {
    locate,
    readJson: (name) =>
      withFile(name, async (file) => JSON.parse(await readFile(file, 'utf8')) as unknown),
    async writeJson(name, value) {
      await using file = await draft(name, value)
      await file.publish()
    },
    async createJson(name, value) {
      await using file = await draft(name, value)
      if (isS3) {
        if ((await installation.objects().find(locate(name))) === undefined) await file.publish()
        return
      }
      // Unlike a rename, a link never takes the place of another file.
      await link(file.file, locate(name)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      })
    },
    async copy(name) {
      const copy = await copyIfThere(name)
      if (copy === undefined) throw new FatalError(`${locate(name)} is gone`)
      return copy
    },
    sha256: (name) => withFile(name, sha256Of),
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
