// Which files of raw events does a location hold?
import { attemptFile, openScratch, type Installation } from '@churnstream/batch'
import { FatalError } from '@churnstream/runtime'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { EventFile } from './file-source.ts'

const eventEndings = ['.jsonl', '.ndjson', '.jsonl.gz', '.ndjson.gz']
/** Being written, or said about the others. */
const isLeftAlone = (name: string): boolean => {
  const parts = name.split('/')
  return parts.some((part) => /^[_.]/.test(part)) || /\.(tmp|part)$/.test(name)
}

/**
 * In the order of their names, which are relative to the location.
 * @throws FatalError when there is none, or one that holds no events by its name
 */
export async function findEventFiles(
  location: string,
  installation: Installation,
): Promise<EventFile[]> {
  const found = location.startsWith('s3://')
    ? await findObjects(location, installation)
    : await findLocal(location)
  const files = found.filter(({ name }) => !isLeftAlone(name))
  const other = files.find(({ name }) => !eventEndings.some((ending) => name.endsWith(ending)))
  if (other !== undefined) {
    throw new FatalError(
      `${other.name} in ${location} is no file of events: their names end in ` +
        `${eventEndings.join(', ')}. Begin its name with _ to leave it alone`,
    )
  }
  if (files.length === 0) throw new FatalError(`there is no file of events in ${location}`)
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function findLocal(location: string): Promise<EventFile[]> {
  return attemptFile(`reading ${location}`, async () => {
    if ((await stat(location)).isFile()) {
      return [{ name: location.split('/').at(-1) ?? '', open: () => createReadStream(location) }]
    }
    const entries = await readdir(location, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return {
          name: relative(location, path).replaceAll('\\', '/'),
          open: () => createReadStream(path),
        }
      })
  })
}

/** Each is read from a copy, which is checked to be the version that was listed. */
async function findObjects(location: string, installation: Installation): Promise<EventFile[]> {
  const objects = installation.objects()
  const base = location.replace(/\/+$/, '')
  const { length: skipped } = base.slice(base.indexOf('/', 's3://'.length) + 1)
  return (await objects.list(base)).map((object) => ({
    name: object.key.slice(skipped + 1),
    async *open() {
      await using scratch = await openScratch()
      const file = join(scratch.path, 'object')
      await objects.download(object, file)
      yield* createReadStream(file)
    },
  }))
}
