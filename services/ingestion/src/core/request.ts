// Which events does a JSON body hold, before any of them is looked at?
import { isUtf8 } from 'node:buffer'

export const maxEvents = 1_000

/** Why a request is refused as a whole. */
export interface RequestProblem {
  readonly status: number
  readonly reason: string
  readonly field: string | null
  readonly message: string
}

/** One event object, or `{ "events": [...] }`. */
export function parseEvents(bytes: Buffer): { events: unknown[] } | { problem: RequestProblem } {
  if (!isUtf8(bytes)) return refuse('malformed-json', null, 'the body is not UTF-8')
  const text = bytes.toString('utf8')
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    return refuse('malformed-json', null, withPosition((error as SyntaxError).message, text))
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return refuse('not-an-event', null, 'send one event object, or { "events": [ ... ] }')
  }
  if (!Object.hasOwn(body, 'events')) return { events: [body] }
  const { events, ...others } = body as { events: unknown }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    return refuse('unknown-field', unknown.slice(0, 100), 'is not known beside "events"')
  }
  if (!Array.isArray(events)) return refuse('bad-events', 'events', 'must be an array of events')
  if (events.length === 0) return refuse('empty-batch', 'events', 'must hold at least one event')
  if (events.length > maxEvents) {
    const message = `holds ${events.length} events, and one request at most ${maxEvents}: send several`
    return refuse('too-many-events', 'events', message, 413)
  }
  return { events: events as unknown[] }
}

const refuse = (reason: string, field: string | null, message: string, status = 400) => ({
  problem: { status, reason, field, message },
})

// For an unexpected token V8 shows the ten characters on either side instead of the position.
function withPosition(message: string, text: string): string {
  if (/ position \d/.test(message)) return message
  const shown = /, (?:\.\.\.)?"([^]*)"(?:\.\.\.)? is not valid JSON$/.exec(message)?.[1]
  if (shown === undefined || shown === '') return message
  const cutAtStart = message.includes(', ..."')
  const at = cutAtStart ? text.indexOf(shown) : 0
  if (at < 0 || text.indexOf(shown, at + 1) >= 0) return message
  const token = /^Unexpected token '([^]+)', /.exec(message)?.[1]
  const position = cutAtStart ? at + 10 : text.indexOf(token ?? shown)
  return text.startsWith(token ?? shown, position) ? `${message} (position ${position})` : message
}
