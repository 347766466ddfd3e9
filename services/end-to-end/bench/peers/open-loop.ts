// How long does an event wait for its committed score, at a rate that does not wait for the answer?
import { Decoder, type Schemas } from '@churnstream/schemas'
import type { OutgoingRecord } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from './contenders.ts'
import { differences, type RunResult, type Setting } from './figures.ts'
import { decoded } from './inputs.ts'
import type { Lab } from './lab.ts'
import { startRun, type Run } from './run.ts'

const warmUpSeconds = 10
const measuredSeconds = 20
const patienceMs = 60_000

export async function openLoop(
  lab: Lab,
  contender: Contender,
  setting: Setting & { readonly load: number },
): Promise<RunResult> {
  const { running } = lab
  const { load: ratePerSecond, task } = setting
  const records = await lab.load(task, ratePerSecond * (warmUpSeconds + measuredSeconds))
  await using run = await startRun(lab, contender, setting, 'end')
  await run.untilStable()
  await using watch = await watchScores(lab.schemas, run, task)
  const producer = await run.kafka.openProducer()
  const warmUp = records.slice(0, ratePerSecond * warmUpSeconds)
  const measured = records.slice(warmUp.length)
  const early = await send(warmUp, ratePerSecond, running, (some) => producer.send(some))
  const before = run.cpuSeconds()
  const sent = await send(measured, ratePerSecond, running, (some) => producer.send(some))
  const after = run.cpuSeconds()
  await producer.close()
  const deadline = performance.now() + patienceMs
  while (watch.count() < early.size + sent.size) {
    if (performance.now() > deadline) {
      throw new Error(`${watch.count()} of ${early.size + sent.size} events were scored in time`)
    }
    run.cpuSeconds()
    await delay(50, undefined, { signal: running })
  }
  const seenAt = await watch.seenAt()
  const latenciesMs = [...sent].map(([place, dueAt]) => {
    const at = seenAt.get(place)
    if (at === undefined) throw new Error(`the event at ${place} was not scored`)
    return at - dueAt
  })
  return {
    events: sent.size,
    seconds: measuredSeconds,
    cpuSeconds: differences(before, after),
    peakRssMb: run.peakRssMb(),
    latenciesMs: latenciesMs.sort((a, b) => a - b),
  }
}

const placeOf = (partition: number, offset: bigint | number): string => `${partition}-${offset}`

/** When each record should have been sent, by where it stands: a late sender makes no event younger. */
async function send(
  records: readonly OutgoingRecord[],
  ratePerSecond: number,
  signal: AbortSignal,
  sendAll: (
    some: readonly OutgoingRecord[],
  ) => Promise<readonly { partition: number; offset: bigint }[]>,
): Promise<Map<string, number>> {
  const dueAt = new Map<string, number>()
  const startedAt = performance.now()
  const dueOf = (index: number): number => startedAt + (index * 1000) / ratePerSecond
  let sent = 0
  while (sent < records.length) {
    const due = Math.floor(((performance.now() - startedAt) * ratePerSecond) / 1000)
    const some = records.slice(sent, Math.max(sent, due))
    if (some.length > 0) {
      for (const [index, { partition, offset }] of (await sendAll(some)).entries()) {
        dueAt.set(placeOf(partition, offset), dueOf(sent + index))
      }
      sent += some.length
    }
    await delay(1, undefined, { signal })
  }
  return dueAt
}

interface Watch extends AsyncDisposable {
  count(): number
  /** When the score of the input at a place became visible. */
  seenAt(): Promise<ReadonlyMap<string, number>>
}

/** Only notes what arrives; it is read when nothing is measured any more. */
async function watchScores(
  schemas: Schemas,
  { kafka, outTopic }: Run,
  task: Setting['task'],
): Promise<Watch> {
  const arrived: { readonly records: Arrived; readonly at: number }[] = []
  let count = 0
  const follower = kafka.follow(
    outTopic.name,
    (records) => {
      arrived.push({ records, at: performance.now() })
      count += records.length
    },
    { from: 'end' },
  )
  await follower.caughtUp
  return {
    count: () => count,
    async seenAt() {
      const decoder = new Decoder('churn-score')
      const seenAt = new Map<string, number>()
      for (const { records, at } of arrived) {
        for (const score of await decoded(schemas, decoder, records)) {
          const place =
            task === 'S'
              ? placeOf(score.vectorPartition, score.vectorOffset)
              : placeOf(score.causePartition, score.causeOffset)
          seenAt.set(place, at)
        }
      }
      return seenAt
    },
    [Symbol.asyncDispose]: () => follower.stop(),
  }
}

type Arrived = Parameters<typeof decoded>[2]
