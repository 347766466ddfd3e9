// Does the driver keep its rate and lose nothing?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransientError } from '@churnstream/runtime/errors'
import type { PlayerActivity } from '@churnstream/schemas'
import type { Step } from './core/population.ts'
import { createRandom } from './core/random.ts'
import { drive, type Acknowledgement, type Post, type Time, type Verdict } from './driver.ts'

const eventAt = (n: number): PlayerActivity => ({
  eventId: `e${n}`,
  kind: 'session_start',
  playerId: 'p',
  occurredAt: n,
  market: 'gb',
  acquisitionSource: null,
  product: null,
  stake: null,
  payout: null,
  odds: null,
  inPlay: null,
  amount: null,
})

function stepsOf(events: number, clockEvery = Infinity): Step[] {
  const steps: Step[] = []
  for (let n = 1; n <= events; n++) {
    steps.push({ deliverAt: n, event: eventAt(n) })
    if (n % clockEvery === 0) steps.push({ deliverAt: n, clockAt: n })
  }
  return steps
}

const accept = (events: readonly PlayerActivity[]): Verdict[] =>
  events.map(({ eventId }, offset) => ({ eventId, status: 'accepted', partition: 0, offset }))

/** A time that passes only by being waited for; the earliest sleeper wakes when all else rests. */
function createFakeTime(): Time {
  let now = 0
  const sleepers: { at: number; wake: () => void }[] = []
  let turning = false
  const turn = () => {
    turning = false
    sleepers.sort((a, b) => a.at - b.at)
    const next = sleepers.shift()
    if (!next) return
    now = Math.max(now, next.at)
    next.wake()
    plan()
  }
  const plan = () => {
    if (turning || sleepers.length === 0) return
    turning = true
    setImmediate(turn)
  }
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason as Error)
        if (signal.aborted) return abort()
        signal.addEventListener('abort', abort, { once: true })
        sleepers.push({
          at: now + ms,
          wake: () => {
            signal.removeEventListener('abort', abort)
            resolve()
          },
        })
        plan()
      }),
  }
}

const never = new AbortController().signal

test('drive - sends at the rate in small batches, however slow the answers are', async () => {
  const time = createFakeTime()
  const sentAt: number[] = []
  const sizes: number[] = []
  const post: Post = async (events) => {
    for (const _ of events) sentAt.push(time.now())
    sizes.push(events.length)
    await time.sleep(100, never)
    return accept(events)
  }
  const report = await drive({
    steps: stepsOf(2000),
    ratePerSecond: 1000,
    post,
    writeClock: () => {},
    time,
    concurrency: 16,
  })
  assert.equal(report.sent, 2000)
  assert.equal(report.acknowledged, 2000)
  // Event n is due at n milliseconds.
  for (const [n, at] of sentAt.entries()) {
    assert.ok(at >= n && at <= n + 40, `event ${n} left at ${at}`)
  }
  assert.ok(Math.max(...sizes) <= 25, `batches up to ${Math.max(...sizes)}`)
  assert.ok(report.worstBehindMs <= 40)
})

test('drive - a slow receiver delays, and the report says by how much', async () => {
  const time = createFakeTime()
  let open = 0
  let most = 0
  const post: Post = async (events) => {
    most = Math.max(most, ++open)
    await time.sleep(1000, never)
    open--
    return accept(events)
  }
  const report = await drive({
    steps: stepsOf(2000),
    ratePerSecond: 1000,
    post,
    writeClock: () => {},
    time,
    concurrency: 2,
    batchSize: 100,
  })
  assert.equal(report.acknowledged, 2000)
  assert.equal(most, 2)
  assert.ok(report.worstBehindMs > 5000, `${report.worstBehindMs}`)
})

test('drive - a clock is written in order, when all events before it are acknowledged', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const time = createFakeTime()
    const random = createRandom(seed)
    const acknowledged = new Set<string>()
    const clocks: number[] = []
    const post: Post = async (events) => {
      await time.sleep(random.between(1, 300), never)
      if (random.chance(0.2)) throw new TransientError('full', { retryAfterMs: 50 })
      return accept(events)
    }
    const report = await drive({
      steps: stepsOf(600, 20),
      ratePerSecond: 500,
      post,
      writeClock: async (atMs) => {
        for (let n = 1; n <= atMs; n++) assert.ok(acknowledged.has(`e${n}`), `e${n} at ${atMs}`)
        await time.sleep(random.between(1, 30), never)
        clocks.push(atMs)
      },
      onAcknowledged: ({ events }) => {
        for (const { eventId } of events) acknowledged.add(eventId)
      },
      time,
    })
    assert.deepEqual(
      clocks,
      Array.from({ length: 30 }, (_, i) => 20 * (i + 1)),
    )
    assert.equal(report.clocks, 30)
    assert.equal(report.lastClockAt, 600)
  }
})

test('drive - a retry sends the same ids, after the asked time, and loses nothing', async () => {
  for (const seed of [1, 2, 3]) {
    const time = createFakeTime()
    const random = createRandom(seed)
    const taken = new Map<string, number>()
    const refused = new Map<string, number>()
    const post: Post = async (events) => {
      const ids = events.map(({ eventId }) => eventId).join()
      const first = events[0]?.eventId ?? ''
      const before = refused.get(ids)
      if (before !== undefined) assert.ok(time.now() >= before + 70)
      await time.sleep(5, never)
      if (random.chance(0.4)) {
        refused.set(ids, time.now())
        throw new TransientError('full', { retryAfterMs: 70 })
      }
      taken.set(first, (taken.get(first) ?? 0) + events.length)
      return accept(events)
    }
    const acknowledgements: Acknowledgement[] = []
    const report = await drive({
      steps: stepsOf(1500),
      ratePerSecond: 1000,
      post,
      writeClock: () => {},
      onAcknowledged: (acknowledgement) => acknowledgements.push(acknowledgement),
      time,
    })
    const ids = acknowledgements.flatMap(({ events }) => events.map(({ eventId }) => eventId))
    assert.equal(ids.length, 1500)
    assert.equal(new Set(ids).size, 1500)
    assert.equal(report.acknowledged, 1500)
    assert.ok(report.retried > 0)
    assert.equal(
      [...taken.values()].reduce((a, b) => a + b),
      1500,
    )
    for (const { dueAt, sentAt, acknowledgedAt } of acknowledgements) {
      assert.ok(dueAt <= sentAt && sentAt < acknowledgedAt)
    }
  }
})

test('drive - a rejected event is counted by reason and not sent again', async () => {
  const time = createFakeTime()
  let posted = 0
  const post: Post = async (events) => {
    posted += events.length
    return events.map(({ eventId, occurredAt }, offset) =>
      occurredAt % 10 === 0
        ? { eventId, status: 'rejected', reason: 'unknown-market', field: 'market', message: '' }
        : { eventId, status: 'accepted', partition: 1, offset },
    )
  }
  const report = await drive({
    steps: stepsOf(100),
    ratePerSecond: 1000,
    post,
    writeClock: () => {},
    time,
  })
  assert.equal(posted, 100)
  assert.equal(report.acknowledged, 90)
  assert.deepEqual(report.rejectedByReason, { 'unknown-market': 10 })
})

test('drive - an abort ends it, though a post never answers', async () => {
  const time = createFakeTime()
  const stop = new AbortController()
  const hanging: Post = (events) => {
    if (events.some(({ eventId }) => eventId === 'e5')) setImmediate(() => stop.abort('enough'))
    return new Promise(() => {})
  }
  const report = await drive({
    steps: stepsOf(100_000, 10),
    ratePerSecond: 1000,
    post: hanging,
    writeClock: () => assert.fail('nothing was acknowledged'),
    signal: stop.signal,
    time,
  })
  assert.equal(report.aborted, true)
  assert.equal(report.acknowledged, 0)
  assert.ok(report.sent < 1000)
})

test('drive - an abort ends the wait for a receiver that is away', async () => {
  const stop = new AbortController()
  let attempts = 0
  const post: Post = async () => {
    if (++attempts === 7) stop.abort()
    throw new TransientError('refused')
  }
  const options = { steps: stepsOf(10), ratePerSecond: 1000, post, writeClock: () => {} }
  const report = await drive({ ...options, signal: stop.signal, time: createFakeTime() })
  assert.equal(report.aborted, true)
  assert.equal(attempts, 7)
  const early = await drive({ ...options, signal: AbortSignal.abort(), time: createFakeTime() })
  assert.equal(early.sent, 0)
})

test('drive - what no retry mends is thrown, with its cause', async () => {
  const failing = {
    steps: stepsOf(100, 10),
    ratePerSecond: 1000,
    writeClock: () => {},
  }
  const cause = new TypeError('a bug')
  const post: Post = () => Promise.reject(cause)
  await assert.rejects(drive({ ...failing, post, time: createFakeTime() }), { cause })
  const few: Post = async (events) => accept(events).slice(1)
  await assert.rejects(drive({ ...failing, post: few, time: createFakeTime() }), /verdicts/)
  const writeClock = () => Promise.reject(cause)
  const good: Post = async (events) => accept(events)
  const broken = drive({ ...failing, post: good, writeClock, time: createFakeTime() })
  await assert.rejects(broken, { cause })
})
