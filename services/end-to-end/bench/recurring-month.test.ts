import { simulate } from '@churnstream/simulator'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recurring } from './recurring-month.ts'

const dayMs = 86_400_000
const startAt = Date.UTC(2026, 0, 1)

test('recurring - the same players do the same a month later, under ids that never came before', () => {
  const endAt = startAt + 30 * dayMs
  const month = [...simulate({ seed: 3, players: 20, startAt, endAt, signUpDays: 1 })]
  const two = [...recurring(month, 30 * dayMs).take(2 * month.length)]
  const [next, afterNext] = [two.slice(0, month.length), two.slice(month.length)]
  for (const [index, step] of month.entries()) {
    for (const [round, again] of [next[index], afterNext[index]].entries()) {
      const laterMs = (round + 1) * 30 * dayMs
      assert.equal(again?.deliverAt, step.deliverAt + laterMs)
      if (!('event' in step)) {
        assert.deepEqual(again, { ...again, clockAt: step.clockAt + laterMs })
        continue
      }
      const { eventId, occurredAt, ...rest } = step.event
      assert.ok(again !== undefined && 'event' in again)
      assert.deepEqual(again.event, {
        ...rest,
        eventId: `${eventId}-${round + 1}`,
        occurredAt: occurredAt + laterMs,
      })
    }
  }
  const ids = [...month, ...two].flatMap((step) => ('event' in step ? [step.event.eventId] : []))
  assert.equal(new Set(ids).size, ids.length)
})
