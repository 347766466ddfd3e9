// Which files are to be scored, and what is in each of them?
import { FatalError, TransientError, messageOf } from '@churnstream/runtime'
import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { openScratch, sha256Of, attemptFile } from './files.ts'
import type { Installation } from './installation.ts'
import type { ObjectVersion } from './objects.ts'

export const fileKinds = ['json', 'jsonl', 'csv', 'parquet'] as const
export type FileKind = (typeof fileKinds)[number]

/** One file, here, as it was when its digest was taken. */
export interface InputFile {
  /** As a person finds it again: a path, or s3://bucket/key. */
  readonly source: string
  readonly file: string
  readonly kind: FileKind
  readonly isGzipped: boolean
  readonly sizeBytes: number
  readonly sha256: string
}

export interface Inputs extends AsyncDisposable {
  readonly files: readonly InputFile[]
  readonly sizeBytes: number
  /** Of the one file, or of the lines `<sha256>  <name>` of a folder's. */
  readonly sha256: string
  /** @throws TransientError when a file is not what it was any more */
  confirm(): Promise<void>
}

interface Found {
  readonly source: string
  /** In the folder; undefined for a single file. */
  readonly name: string | undefined
  /** To a place of its own, unless it is here already; returns where it is and its digest. */
  readonly take: (folder: string) => Promise<{ readonly file: string; readonly sha256: string }>
  readonly sizeBytes: number
  readonly confirm: () => Promise<void>
}

/**
 * A file or a folder, local or in S3. Objects are copied to a temporary folder first, so that every
 * one is read as it was when it was listed, whatever happens to it meanwhile.
 * @throws FatalError that names every file that can't be used @throws TransientError
 */
export async function openInputs(source: string, installation: Installation): Promise<Inputs> {
  const found = source.startsWith('s3://')
    ? await findObjects(source, installation)
    : await findFiles(source)
  const problems: string[] = []
  const kinds = found.map(({ source }) => {
    const kind = kindOf(source)
    if (kind === undefined) problems.push(`${source} is none of ${endings}`)
    return kind
  })
  if (problems.length > 0) throw new FatalError(problems.join('\n'))
  await using stack = new AsyncDisposableStack()
  const scratch = stack.use(await openScratch())
  const files: InputFile[] = []
  for (const [index, { source, sizeBytes, take }] of found.entries()) {
    const { file, sha256 } = await take(join(scratch.path, String(index)))
    files.push({ source, file, sizeBytes, sha256, ...(kinds[index] as Kind) })
  }
  const kept = stack.move()
  return {
    files,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    sha256: digestOf(found, files),
    async confirm() {
      for (const { confirm } of found) await confirm()
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function digestOf(found: readonly Found[], files: readonly InputFile[]): string {
  const [only] = files
  if (found[0]?.name === undefined && only !== undefined) return only.sha256
  const lines = found.map(({ name }, index) => `${files[index]?.sha256}  ${name}\n`)
  return createHash('sha256').update(lines.join('')).digest('hex')
}

interface Kind {
  readonly kind: FileKind
  readonly isGzipped: boolean
}
const endings = '.csv, .jsonl, .ndjson, .json (each may be .gz) and .parquet'

function kindOf(source: string): Kind | undefined {
  const [, name, gz] = /\.(json|jsonl|ndjson|csv|parquet)(\.gz)?$/i.exec(source) ?? []
  if (name === undefined || (name === 'parquet' && gz !== undefined)) return undefined
  const kind = name.toLowerCase()
  return { kind: kind === 'ndjson' ? 'jsonl' : (kind as FileKind), isGzipped: gz !== undefined }
}

/** Not finished, or not rows: of a folder they are left alone. */
const isLeftAlone = (name: string): boolean =>
  name.split('/').some((part) => /^[_.]/.test(part)) || /\.(tmp|part)$/.test(name)

const nothingIn = (source: string): FatalError =>
  new FatalError(`${source} holds no files to score: it takes ${endings}`)

async function findFiles(source: string): Promise<Found[]> {
  const top = await attemptFile(`reading ${source}`, () => stat(source))
  if (!top.isDirectory()) return [localFile(source, undefined, source, top)]
  const entries = await readdir(source, { recursive: true, withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(source, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => !isLeftAlone(name))
    .sort()
  if (names.length === 0) throw nothingIn(source)
  const folder = source.replace(/\/+$/, '')
  return Promise.all(
    names.map(async (name) => {
      const file = join(source, name)
      return localFile(`${folder}/${name}`, name, file, await stat(file))
    }),
  )
}

function localFile(source: string, name: string | undefined, file: string, was: Stats): Found {
  return {
    source,
    name,
    sizeBytes: was.size,
    take: async () => ({ file, sha256: await sha256Of(file) }),
    async confirm() {
      const now = await stat(file).catch(() => undefined)
      if (now?.size === was.size && now.mtimeMs === was.mtimeMs && now.ino === was.ino) return
      throw new TransientError(`${source} changed while it was read`)
    },
  }
}

async function findObjects(source: string, installation: Installation): Promise<Found[]> {
  const objects = installation.objects()
  const single = source.endsWith('/') ? undefined : await objects.find(source)
  const found = single === undefined ? await objects.list(source) : [single]
  const toFound = (object: ObjectVersion, name: string | undefined): Found => ({
    source: `s3://${object.bucket}/${object.key}`,
    name,
    sizeBytes: object.sizeBytes,
    take: async (file) => ({ file, sha256: await objects.download(object, file) }),
    // It was copied as it was listed.
    confirm: async () => undefined,
  })
  if (single !== undefined) return [toFound(single, undefined)]
  const prefix = `${source.replace(/\/+$/, '')}/`
  const named = found
    .map((object) => toFound(object, `s3://${object.bucket}/${object.key}`.slice(prefix.length)))
    .filter(({ name = '' }) => !isLeftAlone(name))
  if (named.length === 0) throw nothingIn(source)
  return named
}

/** The first bytes of a file; fewer when it is shorter. */
export async function firstBytes(file: string, count: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of createReadStream(file, { end: count - 1 })) {
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw new FatalError(`reading ${file}: ${messageOf(error)}`)
  }
  return Buffer.concat(chunks)
}
