// npm run bench -- scaling: what does another replica bring here, and what would it bring elsewhere?
import { partitionOf } from '@churnstream/runtime'
import { loopMetrics, services, topics } from '@churnstream/topology'
import { availableParallelism } from 'node:os'
import { grouped, toMarkdownTable } from './printed.ts'
import { metricsPage, totalOf } from './metrics-page.ts'
import { replicasOf } from './peers/contenders.ts'
import { windowOfDrain } from './peers/drain.ts'
import type { Installation } from './peers/installation.ts'
import { openLab, type Lab } from './peers/lab.ts'
import { cpuSecondsOf, cpuSecondsOfAll } from './peers/process-cost.ts'
import { startRun } from './peers/run.ts'
import {
  nearest,
  scaledOut,
  sharesOf,
  toStage,
  type ScaledOut,
  type SharedCores,
  type Stage,
} from './scaled-out.ts'

const replicasElsewhere = [1, 2, 4, 8, 16, 32, 64]
const playerPartitions = topics.playerActivity.partitions
/** Replicas, and partitions of which they drain what is there. */
const settings = [
  ['one replica, one partition', 1, 1],
  ['one replica', 1, playerPartitions],
  ['2 replicas', 2, playerPartitions],
  ['4 replicas', 4, playerPartitions],
  ['8 replicas', 8, playerPartitions],
] as const

/** Nobody else runs. */
const installation: Installation = {
  java: { missing: 'not asked for' },
  quix: { missing: 'not asked for' },
  taskset: false,
}

const measuredIds = ['scorer', 'features'] as const
type Id = (typeof measuredIds)[number]
const taskOf = { scorer: 'S', features: 'F' } as const

/** One drain by so many replicas, on all cores of this machine. */
interface Drain {
  readonly service: string
  readonly replicas: number
  /** Of which something was drained. */
  readonly partitions: number
  readonly events: number
  readonly eventsPerSecond: number
  readonly recordsPerChunk: number
  readonly cpuSecondsPerMillion: { readonly replicas: number; readonly broker: number }
  readonly coresUsed: Readonly<Record<'replicas' | 'broker' | 'bench' | 'other programs', number>>
}

export interface Scaling {
  readonly cores: number
  readonly drains: readonly (Drain & { readonly foretold: ScaledOut })[]
  /** One replica that has all events in one partition. */
  readonly alone: readonly Drain[]
  readonly elsewhere: readonly (ScaledOut & {
    readonly partitions: number
    readonly replicas: number
  })[]
  readonly text: string
}

export async function benchScaling(options: {
  readonly dataDir: string
  readonly events: number
  readonly runs: number
  readonly partitions: number
  readonly brokerCores: number
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Scaling> {
  const cores = availableParallelism()
  await using lab = await openLab({ ...options, tasks: ['S'], installation })
  const drains: Scaling['drains'][number][] = []
  const alone: Drain[] = []
  const stages: Stage[] = []
  const players = await playersIn(lab)
  const sharesOver = (partitions: number): number[] =>
    sharesOf(
      players.flat().map((player) => partitionOf(player, partitions)),
      partitions,
    )
  for (const id of measuredIds) {
    const runs = new Map<string, Drain[]>()
    for (let round = 0; round < options.runs; round++) {
      for (const [name, replicas, partitions] of settings) {
        const one = await drain(lab, id, replicas, players.slice(0, partitions))
        options.onProgress(`${id}, ${name}: ${grouped(one.eventsPerSecond)} events/s`)
        runs.set(name, [...(runs.get(name) ?? []), one])
      }
    }
    const [lone, one, ...more] = [...runs.values()].map(fastestOf) as [Drain, Drain, ...Drain[]]
    const stage = toStage(one.service, one.recordsPerChunk, {
      ofOneReplica: one.eventsPerSecond,
      ofOnePartition: lone.eventsPerSecond,
    })
    const { replicas: ofReplicas, broker } = one.cpuSecondsPerMillion
    const secondsPerEvent = (ofReplicas + broker) / 1e6
    const shares = sharesOver(playerPartitions)
    for (const measured of [one, ...more]) {
      const { bench, 'other programs': others } = measured.coresUsed
      const machine = { name: 'this machine', cores: cores - bench - others, secondsPerEvent }
      const foretold = scaledOut([stage], shares, measured.replicas, [machine])
      drains.push({ ...measured, foretold })
    }
    alone.push(lone)
    stages.push(stage)
  }
  const brokerFor = (partitions: number, replicas: number): SharedCores => {
    const perMillion = stages.map(({ name }) => {
      const own = drains.filter(({ service }) => service === name)
      return nearest(own, { partitions, replicas }).cpuSecondsPerMillion.broker
    })
    const secondsPerEvent = perMillion.reduce((sum, seconds) => sum + seconds, 0) / 1e6
    return { name: 'broker', cores: options.brokerCores, secondsPerEvent }
  }
  const elsewhere = [...new Set([playerPartitions, options.partitions])].flatMap((partitions) =>
    replicasElsewhere.map((replicas) => ({
      partitions,
      replicas,
      ...scaledOut(stages, sharesOver(partitions), replicas, [brokerFor(partitions, replicas)]),
    })),
  )
  const figures = { cores, drains, alone, elsewhere }
  return { ...figures, text: toText(figures, options.brokerCores) }
}

/** Of each event the player, by partition. */
async function playersIn(lab: Lab): Promise<string[][]> {
  const kafka = lab.openKafka()
  const players: string[][] = []
  for (let partition = 0; partition < playerPartitions; partition++) {
    const own: string[] = []
    for await (const records of kafka.read(topics.playerActivity.name, partition)) {
      for (const { key } of records) own.push(String(key))
    }
    players.push(own)
  }
  await kafka.close()
  return players
}

/** Other programs only ever slow a run down. */
const fastestOf = (runs: readonly Drain[]): Drain =>
  runs.reduce((best, run) => (run.eventsPerSecond > best.eventsPerSecond ? run : best))

/** What is preloaded, by replicas that begin together. @param players of the partitions that are drained */
async function drain(
  lab: Lab,
  id: Id,
  replicas: number,
  players: readonly (readonly string[])[],
): Promise<Drain> {
  const setting = { task: taskOf[id], guarantee: 'exactly-once', cores: 2 } as const
  await using run = await startRun(lab, replicasOf(id, replicas), setting, (partition) =>
    partition < players.length ? 'start' : 'end',
  )
  const inputs = players.reduce((sum, { length }) => sum + length, 0)
  const { name: outTopic } = run.outTopic
  const beside = {
    broker: () => cpuSecondsOf(lab.brokerPid),
    bench: () => cpuSecondsOf(process.pid),
    'all programs': cpuSecondsOfAll,
  }
  const besides = Object.entries(beside)
  const watched = {
    ...run,
    stages: [...run.stages, ...besides.map(([name]) => ({ name, outTopic }))],
    cpuSeconds: () => ({
      ...run.cpuSeconds(),
      ...Object.fromEntries(besides.map(([name, secondsOf]) => [name, secondsOf()])),
    }),
  }
  const window = await windowOfDrain(lab, watched, inputs)
  const pages = await Promise.all(
    run.stages.map(({ env }) => metricsPage(`http://127.0.0.1:${env['HTTP_PORT']}`)),
  )
  const total = (name: string): number => pages.reduce((sum, page) => sum + totalOf(page, name), 0)
  const seconds = (window.toMs - window.fromMs) / 1000
  const spent = window.cpuSeconds as Record<keyof typeof beside, number>
  const ofReplicas = run.stages.reduce((sum, { name }) => {
    return sum + (window.cpuSeconds[name] as number)
  }, 0)
  const perMillion = (cpuSeconds: number): number => (cpuSeconds * 1e6) / window.events
  return {
    service: services[id].name,
    replicas,
    partitions: players.length,
    events: window.events,
    eventsPerSecond: window.events / seconds,
    recordsPerChunk:
      total(`${loopMetrics.transactionRecords.name}_sum`) /
      total(`${loopMetrics.transactionRecords.name}_count`),
    cpuSecondsPerMillion: { replicas: perMillion(ofReplicas), broker: perMillion(spent.broker) },
    coresUsed: {
      replicas: ofReplicas / seconds,
      broker: spent.broker / seconds,
      bench: spent.bench / seconds,
      'other programs': (spent['all programs'] - ofReplicas - spent.broker - spent.bench) / seconds,
    },
  }
}

function toText(
  { cores, drains, alone, elsewhere }: Omit<Scaling, 'text'>,
  brokerCores: number,
): string {
  const toCells = (drain: Drain): string[] => [
    drain.service,
    String(drain.replicas),
    String(drain.partitions),
    grouped(drain.eventsPerSecond),
    drain.cpuSecondsPerMillion.replicas.toFixed(1),
    drain.cpuSecondsPerMillion.broker.toFixed(1),
    ...Object.values(drain.coresUsed).map((used) => used.toFixed(2)),
    drain.recordsPerChunk.toFixed(0),
  ]
  const ofOne = (service: string): Drain =>
    drains.find((each) => each.service === service && each.replicas === 1) as Drain
  const here = toMarkdownTable(
    [
      'service',
      'replicas',
      'partitions',
      'events/s',
      'CPU s/M: replicas',
      'broker',
      'cores: replicas',
      'broker',
      'bench',
      'others',
      'records/chunk',
      '× one',
      'foretold',
      'full',
    ],
    [
      ...drains.map((drain) => [
        ...toCells(drain),
        (drain.eventsPerSecond / ofOne(drain.service).eventsPerSecond).toFixed(2),
        grouped(drain.foretold.eventsPerSecond),
        drain.foretold.full,
      ]),
      ...alone.map((drain) => [...toCells(drain), '', '', '']),
    ],
  )
  const names = Object.keys(elsewhere[0]?.busy ?? {})
  const there = toMarkdownTable(
    [
      'partitions',
      'replicas of each',
      'working',
      'events/s',
      ...names.map((n) => `${n} busy, %`),
      'full',
    ],
    elsewhere.map(({ partitions, replicas, workingReplicas, eventsPerSecond, busy, full }) => [
      ...[partitions, replicas, workingReplicas].map(String),
      grouped(eventsPerSecond),
      ...names.map((name) => String(Math.round(100 * (busy[name] as number)))),
      full,
    ]),
  )
  return [
    `Measured on ${cores} cores, which the broker, the replicas and the bench share:`,
    here,
    '',
    ...toVerdicts(cores, drains),
    toWarning([...drains, ...alone]),
    '',
    `Calculated for replicas with a core each, and a broker of ${brokerCores} cores:`,
    there,
  ].join('\n')
}

/** Of so much of the cores, the machine is full. */
const fullShare = 0.9

/** Whether more replicas could be faster here, by the figures. */
function toVerdicts(cores: number, drains: readonly Drain[]): string[] {
  return Map.groupBy(drains, ({ service }) => service)
    .entries()
    .map(([service, own]) => {
      const best = fastestOf(own)
      const times = best.eventsPerSecond / (own[0] as Drain).eventsPerSecond
      const used = Object.values(best.coresUsed).reduce((sum, each) => sum + each, 0)
      const { replicas, broker, 'other programs': others } = best.coresUsed
      return (
        `${service}: fastest with ${best.replicas} (${times.toFixed(2)} × one). Then ` +
        `${used.toFixed(2)} of ${cores} cores are busy: replicas ${replicas.toFixed(2)}, broker ` +
        `${broker.toFixed(2)}, other programs ${others.toFixed(2)}. ` +
        (used >= fullShare * cores
          ? 'The machine is full: more replicas cannot be faster here.'
          : 'The machine is not full.')
      )
    })
    .toArray()
}

/** Whoever compares rates must know. */
function toWarning(drains: readonly Drain[]): string {
  const most = Math.max(...drains.map(({ coresUsed }) => coresUsed['other programs']))
  return `Other programs took up to ${most.toFixed(2)} cores meanwhile.`
}
