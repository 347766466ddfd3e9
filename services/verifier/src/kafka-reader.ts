// How are committed records read without our own Kafka client?
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../python/read_topics.py', import.meta.url))
/** Where Python finds how a role of AWS enters: the orchestration's own piece. */
const pythonPath = fileURLToPath(new URL('../../orchestration/src/', import.meta.url))
const headBytes = 28

export interface RawRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
}

/** Of a topic, by partition. */
export interface Ends {
  /** The oldest offset that retention has left. */
  readonly first: readonly number[]
  /** The last stable offset: where the oldest open transaction begins, or the end. */
  readonly stable: readonly number[]
  readonly high: readonly number[]
}

export interface Offsets {
  /** Next offset of each partition by group; -1 where it never committed. */
  readonly committed: Readonly<Record<string, readonly number[]>>
  readonly ends: Readonly<Record<string, Ends>>
  /** Milliseconds since 1970. */
  readonly at: number
}

/** librdkafka, in a process of its own. Every method @throws Error with what it said. */
export interface KafkaReader extends AsyncDisposable {
  /** Groups before topics, topics in the order given: see read_topics.py. */
  offsets(
    topics: Readonly<Record<string, number>>,
    groups: Readonly<Record<string, string>>,
  ): Promise<Offsets>
  /** Committed records from start up to, not including, end. */
  read(topic: string, partition: number, start: number, end: number): Promise<RawRecord[]>
}

export function openKafkaReader(
  python: string,
  env: Readonly<Record<string, string | undefined>>,
): KafkaReader {
  const child: ChildProcessWithoutNullStreams = spawn(python, [script], {
    env: { ...env, PYTHONPATH: pythonPath },
  })
  let complaint = ''
  createInterface({ input: child.stderr }).on('line', (line) => {
    complaint = `${complaint}\n${line}`.slice(-2_000)
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const chunks = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let held: Buffer = Buffer.alloc(0)
  let at = 0
  let asking: Promise<unknown> = Promise.resolve()

  async function more(): Promise<void> {
    const { done, value } = await chunks.next()
    if (done === true) {
      await ended
      throw new Error(`reading Kafka with librdkafka failed:${complaint}`)
    }
    held = at === held.length ? value : Buffer.concat([held.subarray(at), value])
    at = 0
  }

  async function take(bytes: number): Promise<Buffer> {
    while (held.length - at < bytes) await more()
    at += bytes
    return held.subarray(at - bytes, at)
  }

  async function line(): Promise<string> {
    for (;;) {
      const end = held.indexOf(10, at)
      if (end >= 0) {
        const text = held.toString('utf8', at, end)
        at = end + 1
        return text
      }
      await more()
    }
  }

  async function part(length: number): Promise<Buffer | null> {
    // A copy: the chunk it lies in would otherwise be kept for as long as the record.
    return length < 0 ? null : Buffer.from(await take(length))
  }

  /** One question at a time. */
  function ask<T>(question: object, answer: () => Promise<T>): Promise<T> {
    const result = asking.then(() => {
      child.stdin.write(`${JSON.stringify(question)}\n`)
      return answer()
    })
    asking = result.catch(() => undefined)
    return result
  }

  return {
    offsets: (topics, groups) =>
      ask({ ask: 'offsets', topics, groups }, async () => JSON.parse(await line()) as Offsets),
    read: (topic, partition, start, end) =>
      ask({ ask: 'read', topic, partition, start, end }, async () => {
        const records: RawRecord[] = []
        for (;;) {
          const head = await take(headBytes)
          const offset = Number(head.readBigInt64BE(0))
          if (offset < 0) return records
          const timestampMs = Number(head.readBigInt64BE(8))
          const lengths = [16, 20, 24].map((place) => head.readInt32BE(place))
          const [keyLength, valueLength, headersLength] = lengths as [number, number, number]
          const key = await part(keyLength)
          const value = await part(valueLength)
          const headers = await part(headersLength)
          records.push({ offset, timestampMs, key, value, headers: toHeaders(headers) })
        }
      }),
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      child.kill()
      await ended
    },
  }
}

function toHeaders(json: Buffer | null): Record<string, Buffer> {
  if (json === null) return {}
  const pairs = JSON.parse(json.toString()) as [string, string][]
  return Object.fromEntries(pairs.map(([name, hex]) => [name, Buffer.from(hex, 'hex')]))
}
