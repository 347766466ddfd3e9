// How does a file become text, and a text lines, without being held in memory?
import { FatalError } from '@churnstream/runtime'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { fileTrouble } from './files.ts'
import { firstBytes, type InputFile } from './inputs.ts'

const chunkBytes = 512 * 1024
/** A row that is longer is no row: a quote is not closed, or it is another kind of file. */
export const maxRowChars = 16 * 1024 * 1024

/** Texts of UTF-8, without its byte order mark. @throws FatalError when it is something else */
export async function* readText(input: InputFile): AsyncGenerator<string> {
  const { file, source, isGzipped } = input
  await checkBeginning(input)
  const bytes = createReadStream(file, { highWaterMark: chunkBytes })
  // What goes wrong with either arrives where the last is read.
  const chunks = isGzipped
    ? pipeline(bytes, createGunzip({ chunkSize: chunkBytes }), () => {})
    : bytes
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of chunks) {
      const text = decoder.decode(chunk as Buffer, { stream: true })
      if (text !== '') yield text
    }
    const rest = decoder.decode()
    if (rest !== '') yield rest
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw new FatalError(`${source} is no UTF-8: save it as UTF-8`)
    }
    if (typeof code === 'string' && code.startsWith('Z_')) {
      throw new FatalError(`${source} is no whole gzip: ${(error as Error).message}`)
    }
    throw fileTrouble(`reading ${source}`, error)
  }
}

async function checkBeginning({ file, source, isGzipped }: InputFile): Promise<void> {
  const first = await firstBytes(file, 4)
  const begins = (...bytes: number[]): boolean => bytes.every((byte, at) => first[at] === byte)
  const isGzip = begins(0x1f, 0x8b)
  if (isGzip && !isGzipped) throw new FatalError(`${source} is gzipped: name it ….gz`)
  if (!isGzip && isGzipped) throw new FatalError(`${source} is named .gz and is no gzip`)
  if (first.toString('latin1') === 'PAR1') {
    throw new FatalError(`${source} is Parquet: name it ….parquet`)
  }
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) {
    throw new FatalError(`${source} is UTF-16: save it as UTF-8`)
  }
}

/** Without line ends. @throws FatalError */
export async function* readLines(input: InputFile): AsyncGenerator<readonly string[]> {
  let rest = ''
  for await (const text of readText(input)) {
    const lines = text.split('\n')
    lines[0] = rest + (lines[0] as string)
    rest = lines.pop() as string
    if (rest.length > maxRowChars) {
      throw new FatalError(`${input.source} has a line of more than ${maxRowChars} characters`)
    }
    if (lines.length > 0) yield lines
  }
  if (rest !== '') yield [rest]
}
