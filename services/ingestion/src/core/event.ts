// Is this input an event that may be written, and if not, why?
import { activityProblem, clockKind, type PlayerActivity } from '@churnstream/schemas'
import { z } from 'zod'

export interface Rejection {
  /** As the producer wrote it; null when there is none to name. */
  readonly eventId: string | null
  /** A slug, fit for a metric label. */
  readonly reason: string
  readonly field: string | null
  readonly message: string
}

export interface TimeBounds {
  readonly maxAgeDays: number
  readonly maxAheadMinutes: number
}

export type Checked =
  | { readonly event: PlayerActivity; readonly rejection?: undefined }
  | { readonly event?: undefined; readonly rejection: Rejection }

const dayMs = 86_400_000
const minuteMs = 60_000
const shownNameChars = 100

// Bounded, so that no event outgrows what a broker takes.
const code = z.string().regex(/^[^\u0000-\u001f\u007f]{1,64}$/)
const shape = z.strictObject({
  eventId: z.string(),
  kind: z.string(),
  playerId: z.string(),
  occurredAt: z.number(),
  market: z.string(),
  acquisitionSource: code.nullish(),
  product: code.nullish(),
  stake: z.number().nullish(),
  payout: z.number().nullish(),
  odds: z.number().nullish(),
  inPlay: z.boolean().nullish(),
  amount: z.number().nullish(),
})
const texts = ['eventId', 'playerId', 'acquisitionSource', 'product'] as const

/** Shape first, then meaning, then event time against `nowMs`; the first problem is the answer. */
export function checkEvent(input: unknown, bounds: TimeBounds, nowMs: number): Checked {
  const parsed = shape.safeParse(input)
  const problem = parsed.success
    ? meaningProblem(parsed.data, bounds, nowMs)
    : shapeProblem(input, parsed.error)
  if (problem) return { rejection: { eventId: eventIdOf(input), ...problem } }
  return { event: toActivity(parsed.data as z.output<typeof shape>) }
}

type Problem = Omit<Rejection, 'eventId'>

function meaningProblem(
  input: z.output<typeof shape>,
  bounds: TimeBounds,
  nowMs: number,
): Problem | undefined {
  if (input.kind === clockKind) {
    return {
      reason: 'clock-kind',
      field: 'kind',
      message: 'clock records are written by ingestion itself, from its own clock',
    }
  }
  // Half a surrogate pair would become U+FFFD in UTF-8, and two players one.
  for (const field of texts) {
    if (input[field]?.isWellFormed() ?? true) continue
    return { reason: `bad-${slug(field)}`, field, message: 'holds half a surrogate pair' }
  }
  const problem = activityProblem(toActivity(input))
  if (problem) return problem
  const { maxAgeDays, maxAheadMinutes } = bounds
  if (input.occurredAt < nowMs - maxAgeDays * dayMs) {
    return {
      reason: 'event-time-too-old',
      field: 'occurredAt',
      message: `must be at most ${maxAgeDays} days before this service's clock, which says ${nowMs}`,
    }
  }
  if (input.occurredAt > nowMs + maxAheadMinutes * minuteMs) {
    return {
      reason: 'event-time-ahead',
      field: 'occurredAt',
      message: `must be at most ${maxAheadMinutes} minutes ahead of this service's clock, which says ${nowMs}`,
    }
  }
  return undefined
}

function shapeProblem(input: unknown, error: z.ZodError): Problem {
  const issue = error.issues[0]
  if (typeof input !== 'object' || input === null || Array.isArray(input) || issue === undefined) {
    return { reason: 'not-an-object', field: null, message: 'an event must be a JSON object' }
  }
  if (issue.code === 'unrecognized_keys') {
    const field = String(issue.keys[0]).slice(0, shownNameChars)
    return { reason: 'unknown-field', field, message: 'is no field of an event' }
  }
  const field = String(issue.path[0])
  const value = (input as Record<string, unknown>)[field]
  if (value === undefined) {
    return { reason: `missing-${slug(field)}`, field, message: 'is required' }
  }
  if (issue.code !== 'invalid_type') {
    const message = 'must be 1 to 64 characters without control characters'
    return { reason: `bad-${slug(field)}`, field, message }
  }
  if (typeof value === 'number' && issue.expected === 'number') {
    return { reason: `${slug(field)}-not-finite`, field, message: 'must be finite' }
  }
  return { reason: `bad-${slug(field)}`, field, message: `must be a ${issue.expected}` }
}

const toActivity = (input: z.output<typeof shape>): PlayerActivity => ({
  eventId: input.eventId,
  kind: input.kind,
  playerId: input.playerId,
  occurredAt: input.occurredAt,
  market: input.market,
  acquisitionSource: input.acquisitionSource ?? null,
  product: input.product ?? null,
  stake: input.stake ?? null,
  payout: input.payout ?? null,
  odds: input.odds ?? null,
  inPlay: input.inPlay ?? null,
  amount: input.amount ?? null,
})

function eventIdOf(input: unknown): string | null {
  const id = (input as { eventId?: unknown } | null)?.eventId
  return typeof id === 'string' ? id : null
}

const slug = (field: string): string =>
  field.replace(/[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
