// How are events posted to ingestion, and what does each answer mean?
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { TransientError } from '@churnstream/runtime/errors'
import type { PlayerActivity } from '@churnstream/schemas'
import type { Post, Verdict } from './driver.ts'

export interface PostOptions {
  /** Of the caller, where ingestion asks for one. */
  readonly key?: string | undefined
  /** Connections kept open; 8 unless told. */
  readonly connections?: number
  /** A request without an answer for so long is sent again; 30 s unless told. */
  readonly timeoutMs?: number
  readonly maxAnswerBytes?: number
}

/** Its player sends faster than it may. */
interface Deferred {
  readonly eventId: string
  readonly status: 'deferred'
  readonly retryAfterMs: number
}

const retryMs = 1_000

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}

/**
 * Posts to {url}/v1/events; what is deferred is sent again in its time, before there are verdicts.
 * node:http with its own agent takes about half the CPU of fetch.
 */
export function postEvents(url: string, options: PostOptions = {}): Post {
  const { key, connections = 8, timeoutMs = 30_000, maxAnswerBytes = 16 * 1024 * 1024 } = options
  const target = new URL(`${url.replace(/\/+$/, '')}/v1/events`)
  if (target.protocol !== 'http:') throw new TypeError(`only http is spoken here: ${url}`)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })

  function send(body: string, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      }
      const outgoing = request(target, { method: 'POST', agent, headers, signal })
      const late = () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`))
      const timer = setTimeout(late, timeoutMs)
      outgoing.on('close', () => clearTimeout(timer))
      outgoing.on('error', reject)
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          size += chunk.length
          if (size > maxAnswerBytes) response.destroy(new RangeError('the answer is too long'))
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: response.headers['retry-after'],
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      })
      outgoing.end(body)
    })
  }

  async function ask(
    events: readonly PlayerActivity[],
    signal: AbortSignal,
  ): Promise<readonly (Verdict | Deferred)[]> {
    const body = JSON.stringify({ events: events.map(withoutNulls) })
    let answer: Answer
    try {
      answer = await send(body, signal)
    } catch (error) {
      if (error instanceof RangeError) throw error
      throw new TransientError(`posting to ${target.href}`, { cause: error })
    }
    const results = toResults(answer, target.href)
    if (results.length === events.length) return results
    throw new Error(`${target.href} answered ${results.length} of ${events.length} events`)
  }

  return async function post(events, signal) {
    const verdicts: Verdict[] = []
    let left = events.map((event, index) => ({ event, index }))
    for (;;) {
      let waitMs = 0
      try {
        const results = await ask(
          left.map(({ event }) => event),
          signal,
        )
        const deferred: typeof left = []
        for (const [at, result] of results.entries()) {
          const one = left[at] as (typeof left)[number]
          if (result.status === 'deferred') {
            deferred.push(one)
            waitMs = Math.max(waitMs, result.retryAfterMs)
          } else {
            verdicts[one.index] = result
          }
        }
        if (deferred.length === 0) return verdicts
        left = deferred
      } catch (error) {
        // Once some were taken, only the others are sent again: an id may be remembered no more.
        if (!(error instanceof TransientError) || left.length === events.length) throw error
        waitMs = error.retryAfterMs ?? retryMs
      }
      await delay(waitMs, undefined, { signal })
    }
  }
}

function toResults(
  { status, retryAfter, body }: Answer,
  href: string,
): readonly (Verdict | Deferred)[] {
  const results = status === 202 || status === 400 || status === 429 ? resultsOf(body) : undefined
  if (results) return results
  if (status === 429 || status >= 500) {
    const seconds = Number(retryAfter)
    throw new TransientError(`${href} answered ${status}`, {
      ...(retryAfter !== undefined && seconds >= 0 && { retryAfterMs: seconds * 1000 }),
    })
  }
  // 400 with results says that each event was rejected, and why; without, the request was wrong.
  throw new Error(`${href} answered ${status}: ${body.slice(0, 300)}`)
}

function resultsOf(body: string): readonly (Verdict | Deferred)[] | undefined {
  try {
    const answer = JSON.parse(body) as { results?: unknown }
    return Array.isArray(answer?.results) ? (answer.results as (Verdict | Deferred)[]) : undefined
  } catch {
    return undefined
  }
}

function withoutNulls(event: PlayerActivity): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  for (const name in event) {
    const value = event[name as keyof PlayerActivity]
    if (value !== null) kept[name] = value
  }
  return kept
}
