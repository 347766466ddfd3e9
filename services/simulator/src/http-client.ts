// How are events posted to ingestion, and what does each answer mean?
import { Agent, request } from 'node:http'
import { TransientError } from '@churnstream/runtime/errors'
import type { PlayerActivity } from '@churnstream/schemas'
import type { Post, Verdict } from './driver.ts'

export interface PostOptions {
  /** Connections kept open; 8 unless told. */
  readonly connections?: number
  /** A request without an answer for so long is sent again; 30 s unless told. */
  readonly timeoutMs?: number
  readonly maxAnswerBytes?: number
}

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}

/** Posts to {url}/v1/events. node:http with its own agent takes about half the CPU of fetch. */
export function postEvents(url: string, options: PostOptions = {}): Post {
  const { connections = 8, timeoutMs = 30_000, maxAnswerBytes = 16 * 1024 * 1024 } = options
  const target = new URL(`${url.replace(/\/+$/, '')}/v1/events`)
  if (target.protocol !== 'http:') throw new TypeError(`only http is spoken here: ${url}`)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })

  function send(body: string, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
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

  return async function post(events, signal) {
    const body = JSON.stringify({ events: events.map(withoutNulls) })
    let answer: Answer
    try {
      answer = await send(body, signal)
    } catch (error) {
      if (error instanceof RangeError) throw error
      throw new TransientError(`posting to ${target.href}`, { cause: error })
    }
    return toVerdicts(answer, target.href)
  }
}

function toVerdicts({ status, retryAfter, body }: Answer, href: string): readonly Verdict[] {
  if (status === 429 || status >= 500) {
    const seconds = Number(retryAfter)
    throw new TransientError(`${href} answered ${status}`, {
      ...(retryAfter !== undefined && seconds >= 0 && { retryAfterMs: seconds * 1000 }),
    })
  }
  // 400 with results says that each event was rejected, and why; without, the request was wrong.
  if (status === 202 || status === 400) {
    const results = resultsOf(body)
    if (results) return results
  }
  throw new Error(`${href} answered ${status}: ${body.slice(0, 300)}`)
}

function resultsOf(body: string): readonly Verdict[] | undefined {
  try {
    const answer = JSON.parse(body) as { results?: unknown }
    return Array.isArray(answer?.results) ? (answer.results as Verdict[]) : undefined
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
