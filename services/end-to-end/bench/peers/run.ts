// How does one contender run: on which topics, from where, and what is left of it?
import { TransientError, type Kafka } from '@churnstream/runtime'
import { clusterTopics, topics, type Topic } from '@churnstream/topology'
import { tailOf, type OwnedProcess } from '@churnstream/topology/local'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin } from './admin.ts'
import type { Contender, Process } from './contenders.ts'
import type { Setting } from './figures.ts'
import { holdGroup } from './held-group.ts'
import type { Lab } from './lab.ts'
import { cpuSecondsOf, peakRssMbOf } from './process-cost.ts'

/** Broker and meter have the first processor, the contender the second. */
export const processors = { servers: '0', contender: '1', both: '0-1' } as const

const stableWithinMs = 60_000

export interface Run extends AsyncDisposable {
  readonly kafka: Kafka
  readonly stages: readonly Process[]
  readonly outTopic: Topic<'churn-score'>
  readonly pids: Readonly<Record<string, number>>
  /** @throws Error when one of the processes ended by itself */
  cpuSeconds(): Record<string, number>
  peakRssMb(): number
  /** Until every group of the contender owns its partitions. */
  untilStable(): Promise<void>
}

/** Where to begin to read, in each partition. */
type From = 'start' | 'end' | ((partition: number) => 'start' | 'end')

export async function startRun(
  lab: Lab,
  contender: Pick<Contender, 'name' | 'start'>,
  setting: Pick<Setting, 'task' | 'guarantee' | 'cores'>,
  from: From,
): Promise<Run> {
  const { admin, running } = lab
  await using cleanUp = new AsyncDisposableStack()
  const kafka = lab.openKafka()
  cleanUp.defer(() => kafka.close())
  const id = `${contender.name}-${Date.now()}`
  const started = await contender.start(lab, setting, id)
  const { processes, inTopic, groups, alsoMoves = [], ownTopics, together } = started
  const outTopic = { ...topics.churnScores, name: (processes.at(-1) as Process).outTopic }
  await forgetGroups(lab, [...groups, ...alsoMoves])
  await emptyTopics(lab, kafka, ownTopics)
  const before = new Set(await admin.listTopics())
  cleanUp.defer(async () => {
    const made = (await admin.listTopics()).filter((name) => !before.has(name))
    if (made.length > 0) await admin.deleteTopics({ topics: made })
  })
  await kafka.ensureTopics([{ name: outTopic.name, partitions: outTopic.partitions, config: {} }])
  for (const { outTopic: name } of processes) await untilLed(kafka, name, running)
  if (from !== 'start') {
    const ofPartition = from === 'end' ? () => from : from
    const partitions = (await kafka.endOffsets(inTopic)).map((end, partition) => {
      return { partition, offset: ofPartition(partition) === 'start' ? '0' : String(end) }
    })
    await admin.setOffsets({ groupId: groups[0], topic: inTopic, partitions })
  }
  const release =
    together && (await holdGroup(kafka, { groupId: groups[0], topic: inTopic, ...together }))
  if (release) cleanUp.defer(release)
  const children: OwnedProcess[] = processes.map((process) =>
    lab.spawn(process, setting.cores === 1 ? processors.contender : undefined),
  )
  cleanUp.defer(async () => {
    await Promise.all(children.map((child) => child.stop()))
  })
  const cpuSeconds = (): Record<string, number> => {
    running.throwIfAborted()
    const ended = children.find(({ hasExited }) => hasExited)
    if (ended) throw new Error(`${ended.name} ended by itself:\n${tailOf(ended.logFile)}`)
    return Object.fromEntries(children.map(({ name, pid }) => [name, cpuSecondsOf(pid)]))
  }
  const untilGroups = async (areSo: (groups: readonly Group[]) => boolean): Promise<void> => {
    const deadline = performance.now() + stableWithinMs
    while (!areSo((await admin.describeGroups([...groups])).groups)) {
      if (performance.now() > deadline) throw new Error(`${contender.name} reads nothing`)
      cpuSeconds()
      await delay(200, undefined, { signal: running })
    }
  }
  if (release) {
    await untilGroups(([group]) => (group?.members.length ?? 0) > processes.length)
    await release()
  }
  const owned = cleanUp.move()
  return {
    kafka,
    stages: processes,
    outTopic,
    pids: Object.fromEntries(children.map(({ name, pid }) => [name, pid])),
    cpuSeconds,
    peakRssMb: () => children.reduce((sum, { pid }) => sum + peakRssMbOf(pid), 0),
    untilStable: () => untilGroups((described) => described.every(isStable)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

type Group = Awaited<ReturnType<Admin['describeGroups']>>['groups'][number]
const isStable = ({ state }: Group): boolean => state === 'Stable'

/** A new topic has no leader for a moment. */
async function untilLed(kafka: Kafka, topic: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await kafka.endOffsets(topic)
      return
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      await delay(100, undefined, { signal })
    }
  }
}

/** Where they had read to. */
async function forgetGroups({ admin }: Lab, groups: readonly string[]): Promise<void> {
  const { groups: known } = await admin.listGroups()
  const forgotten = groups.filter((group) => known.some(({ groupId }) => groupId === group))
  if (forgotten.length > 0) await admin.deleteGroups(forgotten)
}

async function emptyTopics({ admin }: Lab, kafka: Kafka, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await admin.deleteTopics({ topics: [...names] })
  while ((await admin.listTopics()).some((name) => names.includes(name))) await delay(100)
  await kafka.ensureTopics(clusterTopics().filter(({ name }) => names.includes(name)))
}
