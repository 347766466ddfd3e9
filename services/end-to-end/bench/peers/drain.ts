// How fast does a contender drain a preloaded topic, and is what it wrote right?
import type { Kafka } from '@churnstream/runtime'
import { Decoder } from '@churnstream/schemas'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from './contenders.ts'
import { Check, type Expected } from './expected.ts'
import {
  isOurs,
  windowOf,
  type RunResult,
  type Sample,
  type Setting,
  type Stage,
  type Task,
  type Window,
} from './figures.ts'
import { decoded } from './inputs.ts'
import type { Lab } from './lab.ts'
import { startRun, type Run } from './run.ts'

const sampleEveryMs = 50
/** Nothing more comes after such a silence. */
const quietMs = 2_000
const patienceMs = 1_200_000
/** Behind them a virtual machine has compiled what is hot. */
const mostWarmUpEvents = 100_000

export async function drain(lab: Lab, contender: Contender, setting: Setting): Promise<RunResult> {
  await using run = await startRun(lab, contender, setting, 'start')
  const { fromMs, toMs, ...rest } = await drainAll(lab, run, setting)
  return {
    ...rest,
    seconds: (toMs - fromMs) / 1000,
    peakRssMb: run.peakRssMb(),
    latenciesMs: [],
  }
}

/** @throws Error unless each input has the right score, once */
export async function drainAll(lab: Lab, run: Run, setting: Asked): Promise<Window> {
  const { kafka, outTopic } = run
  const expected = expectedOf(lab, setting)
  const inputs = expected.reduce(
    (sum, own) => sum + own.reduce((count, score) => count + (Number.isNaN(score) ? 0 : 1), 0),
    0,
  )
  const window = await windowOfDrain(lab, run, inputs)
  await check(lab, kafka, outTopic, setting.task, new Check(expected))
  return window
}

/** @throws Error unless there are as many outputs as inputs */
export async function windowOfDrain(lab: Lab, run: Drained, inputs: number): Promise<Window> {
  const { kafka, stages, outTopic } = run
  const samples = await untilDrained(lab, run, inputs)
  const places: Record<string, bigint[][]> = {}
  for (const name of outTopicsOf(stages)) places[name] = await placesIn(kafka, name)
  const outputs = places[outTopic.name]?.reduce((sum, own) => sum + own.length, 0)
  if (outputs !== inputs) throw new Error(`${outputs} outputs of ${inputs} inputs`)
  return windowOf(samples, stages, places, Math.min(mostWarmUpEvents, inputs / 2))
}

type Drained = Pick<Run, 'kafka' | 'outTopic' | 'cpuSeconds'> & {
  readonly stages: readonly Stage[]
}

/** Replicas of a service share theirs. */
const outTopicsOf = (stages: readonly Stage[]): Set<string> =>
  new Set(stages.map(({ outTopic }) => outTopic))

type Asked = Pick<Setting, 'contender' | 'task'>

const expectedOf = ({ expected }: Lab, { contender, task }: Asked): Expected =>
  expected[isOurs(contender) && task === 'F' ? 'ours in F' : task]

async function untilDrained({ running }: Lab, run: Drained, inputs: number): Promise<Sample[]> {
  const { kafka, stages, outTopic } = run
  const samples: Sample[] = []
  const startedAt = performance.now()
  let [newest, newestAt] = [0n, startedAt]
  for (;;) {
    const ends: Record<string, bigint[]> = {}
    for (const name of outTopicsOf(stages)) ends[name] = await kafka.endOffsets(name)
    const atMs = performance.now()
    samples.push({ atMs, ends, cpuSeconds: run.cpuSeconds() })
    const sum = (ends[outTopic.name] as bigint[]).reduce((total, end) => total + end, 0n)
    if (sum > newest) [newest, newestAt] = [sum, atMs]
    if (newest >= inputs && atMs - newestAt > quietMs) return samples
    if (atMs - startedAt > patienceMs) {
      throw new Error(`${newest} of ${inputs} scores within ${patienceMs / 1000} s`)
    }
    await delay(sampleEveryMs, undefined, { signal: running })
  }
}

/** Markers of transactions have offsets too. */
async function placesIn(kafka: Kafka, topic: string): Promise<bigint[][]> {
  const { length } = await kafka.endOffsets(topic)
  const places: bigint[][] = []
  for (let partition = 0; partition < length; partition++) {
    const own: bigint[] = []
    for await (const records of kafka.read(topic, partition)) {
      for (const { offset } of records) own.push(offset)
    }
    places.push(own)
  }
  return places
}

async function check(
  { schemas }: Lab,
  kafka: Kafka,
  { name, record, partitions }: Run['outTopic'],
  task: Task,
  check: Check,
): Promise<void> {
  const decoder = new Decoder(record)
  for (let partition = 0; partition < partitions; partition++) {
    for await (const records of kafka.read(name, partition)) {
      for (const score of await decoded(schemas, decoder, records)) {
        if (task === 'S') check.take(score.vectorPartition, score.vectorOffset, score)
        else check.take(score.causePartition, score.causeOffset, score)
      }
    }
  }
  check.assertComplete()
}
