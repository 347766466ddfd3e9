// npm run bench -- http: how much does ingestion take, and how long is the way from HTTP to PostgreSQL?
import { Schemas, type PlayerActivity } from '@churnstream/schemas'
import { drive, postEvents, type DriveReport, type Step } from '@churnstream/simulator'
import { services, topics } from '@churnstream/topology'
import { outputOf } from '@churnstream/topology/local'
import { setTimeout as delay } from 'node:timers/promises'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { watchRecords } from '../pipeline/records.ts'
import { rowsOf } from '../pipeline/rows.ts'
import { firstEvents, lastYear } from '../pipeline/steps.ts'
import { startBreakable } from './breakable.ts'
import { differences, percentile } from './peers/figures.ts'
import { cpuSecondsOf, pin } from './peers/process-cost.ts'

const ratesPerSecond = [1_000, 5_000]
const warmUpSeconds = 10
const measuredSeconds = 20
const patienceMs = 120_000
const eventsPerRequest = 100
const requestsAtOnce = 8
/** What is sent over and over: as many requests as these. */
const preparedRequests = 400
const onTheWay = ['ingestion', 'features', 'scorer', 'sinks'] as const

type Figures = Record<string, number | string>

export async function benchHttp(options: {
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Figures> {
  const { dataDir, signal, onProgress } = options
  const { pipeline, running } = await startBreakable({
    dataDir,
    modelSize: 'small',
    services: [...onTheWay, 'registryBridge'],
    // The same requests come again and again.
    env: { ingestion: { PLAYER_EVENTS_PER_SECOND: '0' } },
    signal,
    onProgress,
  })
  await using _ = pipeline
  const figures: Figures = {}
  for (const ratePerSecond of ratesPerSecond) {
    onProgress(`${ratePerSecond} events a second, from HTTP to PostgreSQL`)
    Object.assign(figures, await wholeWay(pipeline, ratePerSecond, running))
  }
  for (const id of ['features', 'scorer', 'sinks'] as const) await pipeline.process(id).stop()
  onProgress('as many events as ingestion takes on one core')
  Object.assign(figures, await ingestionAlone(pipeline, running))
  return figures
}

/** Open loop: each event's time runs from when it should have been sent. */
async function wholeWay(
  pipeline: Pipeline,
  ratePerSecond: number,
  signal: AbortSignal,
): Promise<Figures> {
  const { kafka, stack } = pipeline
  const schemas = new Schemas({ url: stack.registry.url })
  const seenAt = new Map<string, number>()
  const failed = new AbortController()
  const watching = watchRecords(
    { kafka, schemas },
    topics.churnScores,
    (score, { seenAt: at }) => seenAt.set(score.causeEventId, at),
    { from: 'end', onFailure: (message) => failed.abort(new Error(message)) },
  )
  await watching.caughtUp
  const running = AbortSignal.any([signal, failed.signal])
  const steps = lastYear(ratePerSecond, ratePerSecond)
  const play = (seconds: number, dueAt?: Map<string, number>): Promise<DriveReport> =>
    playAll(pipeline, firstEvents(steps, ratePerSecond * seconds), ratePerSecond, running, dueAt)
  await play(warmUpSeconds)
  const before = cpuSeconds(pipeline)
  const dueAt = new Map<string, number>()
  const { acknowledged, worstBehindMs } = await play(measuredSeconds, dueAt)
  const storedAt = await stored(pipeline, dueAt, running)
  const spent = differences(before, cpuSeconds(pipeline))
  await watching.stop()
  const of = `${ratePerSecond}/s`
  const scoredMs = latencies(dueAt, seenAt)
  const storedMs = latencies(dueAt, storedAt)
  const figures: Figures = {
    [`${of}: events acknowledged`]: acknowledged,
    [`${of}: worst delay of a request by the sender, ms`]: Math.round(worstBehindMs),
  }
  for (const share of [0.5, 0.99, 0.999]) {
    const name = `p${100 * share}`
    figures[`${of}: event to committed score, ${name} ms`] = Math.round(
      percentile(scoredMs, share) ?? NaN,
    )
    figures[`${of}: event to the transaction of its row, ${name} ms`] = Math.round(
      percentile(storedMs, share) ?? NaN,
    )
  }
  for (const [name, seconds] of Object.entries(spent)) {
    figures[`${of}: ${name}, CPU seconds per million events`] = perMillion(seconds, acknowledged)
  }
  return figures
}

const perMillion = (seconds: number, events: number): number =>
  Number(((seconds * 1e6) / events).toFixed(1))

function playAll(
  { urls, apiKey: key }: Pipeline,
  steps: Iterable<Step>,
  ratePerSecond: number,
  signal: AbortSignal,
  dueAt?: Map<string, number>,
): Promise<DriveReport> {
  return drive({
    steps,
    ratePerSecond,
    signal,
    batchSize: eventsPerRequest,
    concurrency: requestsAtOnce,
    post: postEvents(urls.ingestion, { key, connections: requestsAtOnce }),
    writeClock: () => undefined,
    onAcknowledged({ events, dueAt: firstDueAt }) {
      for (const [index, { eventId }] of events.entries()) {
        dueAt?.set(eventId, firstDueAt + (index * 1000) / ratePerSecond)
      }
    },
  })
}

/** When the transaction began that stored the score of each event. */
async function stored(
  { stack }: Pipeline,
  dueAt: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const deadline = performance.now() + patienceMs
  const wanted = [...dueAt.keys()]
  for (;;) {
    const rows = await rowsOf<{ id: string; at: number }>(
      stack.postgres.url('churnstream'),
      `SELECT cause_event_id AS id, extract(epoch FROM stored_at)::float8 * 1000 AS at
       FROM score_history WHERE cause_event_id = ANY ($1)`,
      [wanted],
    )
    const storedAt = new Map(rows.map(({ id, at }) => [id, at - performance.timeOrigin]))
    if (storedAt.size === wanted.length) return storedAt
    if (performance.now() > deadline) {
      throw new Error(`${storedAt.size} of ${wanted.length} events have a row`)
    }
    await delay(500, undefined, { signal })
  }
}

/** @throws Error unless every event has its instant */
function latencies(
  dueAt: ReadonlyMap<string, number>,
  doneAt: ReadonlyMap<string, number>,
): number[] {
  return [...dueAt]
    .map(([id, at]) => {
      const done = doneAt.get(id)
      if (done === undefined) throw new Error(`the event ${id} has no score`)
      return done - at
    })
    .sort((a, b) => a - b)
}

function cpuSeconds(pipeline: Pipeline): Record<string, number> {
  return Object.fromEntries(
    onTheWay.map((id) => [services[id].name, cpuSecondsOf(pipeline.process(id).pid)]),
  )
}

/** Closed loop: the next request goes out when one is answered, with every event in Kafka. */
async function ingestionAlone(pipeline: Pipeline, signal: AbortSignal): Promise<Figures> {
  const { kafka, urls, apiKey: key } = pipeline
  const { pid } = pipeline.process('ingestion')
  const isPinned = (await outputOf('taskset', ['-V'])) !== ''
  if (isPinned) {
    pin(process.pid, '0')
    pin(pid, '1')
  }
  const post = postEvents(urls.ingestion, { key, connections: requestsAtOnce })
  const steps = lastYear(3, 1_000)
  const requests = Array.from({ length: preparedRequests }, () =>
    [...firstEvents(steps, eventsPerRequest)].flatMap((step): PlayerActivity[] =>
      'event' in step ? [step.event] : [],
    ),
  )
  let next = 0
  const load = async (seconds: number): Promise<number> => {
    const until = performance.now() + seconds * 1000
    let accepted = 0
    const send = async (): Promise<void> => {
      while (performance.now() < until) {
        const events = requests[next++ % requests.length] as PlayerActivity[]
        const verdicts = await post(events, signal)
        accepted += verdicts.filter(({ status }) => status === 'accepted').length
      }
    }
    await Promise.all(Array.from({ length: requestsAtOnce }, send))
    return accepted
  }
  await load(warmUpSeconds)
  const ends = async (): Promise<bigint> =>
    (await kafka.endOffsets(topics.playerActivity.name)).reduce((sum, end) => sum + end, 0n)
  const endsBefore = await ends()
  const cpuBefore = cpuSecondsOf(pid)
  const startedAt = performance.now()
  const accepted = await load(measuredSeconds)
  const seconds = (performance.now() - startedAt) / 1000
  const spent = cpuSecondsOf(pid) - cpuBefore
  const written = Number((await ends()) - endsBefore)
  if (written !== accepted) throw new Error(`${accepted} events accepted, ${written} written`)
  const of = `ingestion, ${isPinned ? 'one core' : 'on all cores: there is no taskset'}, requests of ${eventsPerRequest}`
  return {
    [`${of}: events/s acknowledged`]: Math.round(accepted / seconds),
    [`${of}: CPU seconds per million events`]: perMillion(spent, accepted),
    [`${of}: of the core used, %`]: Math.round((100 * spent) / seconds),
  }
}
