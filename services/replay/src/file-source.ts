// How do files of raw events become the partitions of a replay?
import { checkEvent } from '@churnstream/ingestion'
import { FatalError } from '@churnstream/runtime'
import type { PlayerActivity } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { isUtf8 } from 'node:buffer'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Hours } from './core/hours.ts'
import { linesOf, maxLineBytes, type Line } from './core/lines.ts'
import type { FilesPlan } from './core/source-plan.ts'
import type { Step } from './core/step.ts'
import type { Source } from './source.ts'
import { Spool } from './spool.ts'

export interface EventFile {
  /** As a person finds it again. */
  readonly source: string
  readonly isGzipped: boolean
  /** Its bytes as they stand, also when they are compressed. */
  open(): AsyncIterable<Uint8Array>
}

export interface RejectedLine {
  readonly source: string
  /** From 0. */
  readonly row: number
  readonly reason: string
  readonly detail: string
  /** The line, shortened. */
  readonly values: string
}

export interface FileSourceOptions {
  readonly location: string
  readonly files: readonly EventFile[]
  /** Of the names and bytes of all files. */
  readonly sha256: string
  /** Events and clock records before this instant. */
  readonly untilAt: number
  /** The command fails when more of the lines are no events. */
  readonly maxRejectedShare: number
  readonly onRejected: (lines: readonly RejectedLine[]) => Promise<void>
  readonly onProgress: (line: string) => void
}

// Ingestion compares event time with its own clock; a replay of history has no such clock.
const noBounds = { maxAgeDays: Infinity, maxAheadMinutes: Infinity }
const stepsPerRead = 2_000
const shownChars = 1_000
const progressEveryMs = 5_000

/**
 * Reads every file once, keeps events by day in temporary files, and gives each partition its own in
 * order of time, with a clock record at each full hour. A line that ingestion would refuse is told.
 * @throws FatalError when there is no event at all, too many lines are none, or a file is damaged
 */
export async function openFileSource(options: FileSourceOptions): Promise<Source> {
  const { location, files, sha256, untilAt, maxRejectedShare, onRejected, onProgress } = options
  const { partitions } = topics.playerActivity
  const spool = new Spool(partitions)
  const rejected: Record<string, number> = {}
  let [lines, refused, after] = [0, 0, 0]
  let toldAt = performance.now()
  try {
    for (const file of files) {
      for await (const part of linesOf(bytesOf(file))) {
        const bad = part.flatMap((line) => take(file, line) ?? [])
        if (bad.length > 0) await onRejected(bad)
      }
      if (performance.now() - toldAt < progressEveryMs) continue
      toldAt = performance.now()
      onProgress(`read ${lines} lines, as far as ${file.source}`)
    }
    spool.finish()
    if (refused > maxRejectedShare * lines) throw new FatalError(tooMany())
    if (lines - refused - after === 0) {
      throw new FatalError(
        `${location} holds no event before ${new Date(untilAt).toISOString()} ` +
          `(${files.length} files, ${lines} lines, ${after} later events)`,
      )
    }
  } catch (error) {
    spool[Symbol.dispose]()
    throw error
  }
  onProgress(`read ${lines} lines of ${files.length} files, ${refused} of them are no events`)

  function take({ source }: EventFile, line: Line): RejectedLine | undefined {
    lines++
    const event = eventOf(line)
    if ('reason' in event) {
      refused++
      rejected[event.reason] = (rejected[event.reason] ?? 0) + 1
      const values = Buffer.from(line.bytes).toString('utf8').slice(0, shownChars)
      return { source, row: line.row, ...event, values }
    }
    if (event.occurredAt < untilAt) spool.add(event)
    else after++
    return undefined
  }

  function tooMany(): string {
    const [[reason, count] = ['', 0]] = Object.entries(rejected).sort(([, a], [, b]) => b - a)
    return (
      `${refused} of ${lines} lines of ${location} are no events, most often (${count}): ${reason}. ` +
      `Allowed is a share of ${maxRejectedShare}; see the rejects file, or raise --max-rejected`
    )
  }

  async function* read(partition: number): AsyncGenerator<readonly Step[]> {
    const hours = new Hours(spool.firstEventAt, untilAt)
    let offset = 0
    let steps: Step[] = []
    const inputs = function* (): Generator<PlayerActivity> {
      for (const day of spool.read(partition)) {
        for (const event of day) {
          yield* hours.before(event.occurredAt)
          yield event
        }
      }
      yield* hours.before(Infinity)
    }
    for (const input of inputs()) {
      steps.push({ offset: offset++, input })
      if (steps.length < stepsPerRead) continue
      yield steps
      steps = []
    }
    if (steps.length > 0) yield steps
  }

  const plan: FilesPlan = {
    kind: 'files',
    location,
    files: files.length,
    sha256,
    untilAt,
  }
  return {
    plan,
    name: location,
    partitions,
    // Nobody waits here, and clock records are an hour apart.
    playersPerClock: Infinity,
    left: { rejected, after },
    read,
    [Symbol.asyncDispose]: async () => spool[Symbol.dispose](),
  }
}

function eventOf(line: Line): PlayerActivity | { reason: string; detail: string } {
  if (line.bytes.length > maxLineBytes) {
    return { reason: 'line-too-long', detail: `has more than ${maxLineBytes} bytes` }
  }
  if (!isUtf8(line.bytes)) return { reason: 'malformed-json', detail: 'the line is not UTF-8' }
  let value: unknown
  try {
    value = JSON.parse(
      Buffer.from(line.bytes.buffer, line.bytes.byteOffset, line.bytes.length).toString(),
    )
  } catch (error) {
    return { reason: 'malformed-json', detail: (error as SyntaxError).message }
  }
  const { event, rejection } = checkEvent(value, noBounds, 0)
  if (event !== undefined) return event
  const { reason, field, message } = rejection
  return { reason, detail: field === null ? message : `${field} ${message}` }
}

/** What a file holds, decompressed. */
async function* bytesOf(file: EventFile): AsyncGenerator<Uint8Array> {
  if (!file.isGzipped) {
    yield* file.open()
    return
  }
  const gunzip = createGunzip()
  // An error of either side destroys gunzip, and so ends the loop with it.
  pipeline(file.open(), gunzip, () => undefined)
  try {
    yield* gunzip
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'Z_BUF_ERROR' && code !== 'Z_DATA_ERROR') throw error
    throw new FatalError(`${file.source} is no whole gzip file: put it there again`)
  }
}
