// How fast does a contender drain a preloaded topic, and is what it wrote right?
import { Decoder } from '@churnstream/schemas'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from './contenders.ts'
import { Check, type Expected } from './expected.ts'
import { ours, windowOf, type RunResult, type Sample, type Setting, type Task } from './figures.ts'
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
  const inputs = inputsOf(lab, contender.name, setting.task)
  await using run = await startRun(lab, contender, setting, 'start')
  const samples = await untilDrained(lab, run, inputs)
  const places = await check(lab, run, setting)
  return {
    ...windowOf(samples, places, Math.min(mostWarmUpEvents, inputs / 2)),
    peakRssMb: run.peakRssMb(),
    latenciesMs: [],
  }
}

const expectedOf = (
  { expected }: Lab,
  { contender, task }: Pick<Setting, 'contender' | 'task'>,
): Expected => expected[contender === ours && task === 'F' ? 'ours in F' : task]

export function inputsOf(lab: Lab, contender: string, task: Task): number {
  return expectedOf(lab, { contender, task }).reduce(
    (sum, own) => sum + own.reduce((count, score) => count + (Number.isNaN(score) ? 0 : 1), 0),
    0,
  )
}

export async function untilDrained({ running }: Lab, run: Run, inputs: number): Promise<Sample[]> {
  const { kafka, outTopic } = run
  const samples: Sample[] = []
  const startedAt = performance.now()
  let [newest, newestAt] = [0n, startedAt]
  for (;;) {
    const ends = await kafka.endOffsets(outTopic.name)
    const atMs = performance.now()
    samples.push({ atMs, ends, cpuSeconds: run.cpuSeconds() })
    const sum = ends.reduce((total, end) => total + end, 0n)
    if (sum > newest) [newest, newestAt] = [sum, atMs]
    if (newest >= inputs && atMs - newestAt > quietMs) return samples
    if (atMs - startedAt > patienceMs) {
      throw new Error(`${newest} of ${inputs} scores within ${patienceMs / 1000} s`)
    }
    await delay(sampleEveryMs, undefined, { signal: running })
  }
}

/** Where the scores stand. @throws Error unless each input has the right one, once */
async function check(lab: Lab, { kafka, outTopic }: Run, setting: Setting): Promise<bigint[][]> {
  const decoder = new Decoder(outTopic.record)
  const check = new Check(expectedOf(lab, setting))
  const places: bigint[][] = []
  for (let partition = 0; partition < outTopic.partitions; partition++) {
    const own: bigint[] = []
    for await (const records of kafka.read(outTopic.name, partition)) {
      for (const score of await decoded(lab.schemas, decoder, records)) {
        if (setting.task === 'S') check.take(score.vectorPartition, score.vectorOffset, score)
        else check.take(score.causePartition, score.causeOffset, score)
      }
      for (const { offset } of records) own.push(offset)
    }
    places.push(own)
  }
  check.assertComplete()
  return places
}
