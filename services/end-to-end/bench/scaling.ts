// npm run bench -- scaling: what does another replica bring here, and what would it bring elsewhere?
import { partitionOf, type OutgoingRecord } from '@churnstream/runtime'
import { services, topics } from '@churnstream/topology'
import { availableParallelism } from 'node:os'
import { untilReady } from '../pipeline/pipeline.ts'
import { grouped, toMarkdownTable } from './printed.ts'
import { metricsPage, totalOf } from './metrics-page.ts'
import { replicasOf } from './peers/contenders.ts'
import { windowOfDrain } from './peers/drain.ts'
import type { Installation } from './peers/installation.ts'
import { openLab, type Lab } from './peers/lab.ts'
import { cpuSecondsOf, cpuSecondsOfAll } from './peers/process-cost.ts'
import { startRun } from './peers/run.ts'
import {
  scaledOut,
  sharesOf,
  toStage,
  type ScaledOut,
  type SharedCores,
  type Stage,
} from './scaled-out.ts'

const replicasHere = [1, 2, 4, 8]
const replicasElsewhere = [1, 2, 4, 8, 16, 32, 64]
const recordsPerSend = 5_000
/** Of the preloaded events: open loads go on where they end. */
const drainedShare = 0.5

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
  readonly events: number
  readonly eventsPerSecond: number
  readonly recordsPerTransaction: number
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
  readonly partitions: number
  readonly brokerCores: number
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Scaling> {
  const { events, onProgress } = options
  const cores = availableParallelism()
  await using lab = await openLab({ ...options, tasks: ['S'], installation })
  const drains: Scaling['drains'][number][] = []
  const alone: Drain[] = []
  const stages: Stage[] = []
  const brokerSeconds: number[] = []
  let players: string[] = []
  for (const id of measuredIds) {
    const load = await lab.load(taskOf[id], Math.floor(events * drainedShare))
    players = load.map(({ key }) => String(key))
    const shares = sharesOf(
      load.map(({ partition }) => partition),
      topics.playerActivity.partitions,
    )
    const one = await drain(lab, id, 1, load, onProgress)
    const lone = await drain(lab, id, 1, toOnePartition(load), onProgress)
    const stage = toStage(one.service, one.recordsPerTransaction, {
      ofOneReplica: one.eventsPerSecond,
      ofOnePartition: lone.eventsPerSecond,
    })
    const { replicas: ofReplicas, broker } = one.cpuSecondsPerMillion
    const machine = { name: 'this machine', cores, secondsPerEvent: (ofReplicas + broker) / 1e6 }
    for (const replicas of replicasHere) {
      const measured = replicas === 1 ? one : await drain(lab, id, replicas, load, onProgress)
      drains.push({ ...measured, foretold: scaledOut([stage], shares, replicas, [machine]) })
    }
    alone.push(lone)
    stages.push(stage)
    brokerSeconds.push(broker / 1e6)
  }
  const broker: SharedCores = {
    name: 'broker',
    cores: options.brokerCores,
    secondsPerEvent: brokerSeconds.reduce((sum, seconds) => sum + seconds, 0),
  }
  const counts = [...new Set([topics.playerActivity.partitions, options.partitions])]
  const elsewhere = counts.flatMap((partitions) => {
    const shares = sharesOf(
      players.map((player) => partitionOf(player, partitions)),
      partitions,
    )
    return replicasElsewhere.map((replicas) => ({
      partitions,
      replicas,
      ...scaledOut(stages, shares, replicas, [broker]),
    }))
  })
  const figures = { cores, drains, alone, elsewhere }
  return { ...figures, text: toText(figures, options.brokerCores) }
}

/** The replicas are ready and wait when everything comes at once. */
async function drain(
  lab: Lab,
  id: Id,
  replicas: number,
  load: readonly OutgoingRecord[],
  onProgress: (line: string) => void,
): Promise<Drain> {
  const setting = { task: taskOf[id], guarantee: 'exactly-once', cores: 2 } as const
  await using run = await startRun(lab, replicasOf(id, replicas), setting, 'end')
  await run.untilStable(replicas)
  const urls = run.stages.map(({ env }) => `http://127.0.0.1:${env['HTTP_PORT']}`)
  for (const url of urls) await untilReady(services[id].name, url, lab.running)
  const producer = await run.kafka.openProducer()
  for (let at = 0; at < load.length; at += recordsPerSend) {
    await producer.send(load.slice(at, at + recordsPerSend))
  }
  await producer.close()
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
  const window = await windowOfDrain(lab, watched, load.length)
  const pages = await Promise.all(urls.map(metricsPage))
  const total = (name: string): number => pages.reduce((sum, page) => sum + totalOf(page, name), 0)
  const seconds = (window.toMs - window.fromMs) / 1000
  const spent = window.cpuSeconds as Record<keyof typeof beside, number>
  const ofReplicas = run.stages.reduce((sum, { name }) => {
    return sum + (window.cpuSeconds[name] as number)
  }, 0)
  const perMillion = (cpuSeconds: number): number => (cpuSeconds * 1e6) / window.events
  const measured: Drain = {
    service: services[id].name,
    replicas,
    events: window.events,
    eventsPerSecond: window.events / seconds,
    recordsPerTransaction:
      total('churnstream_transaction_records_sum') / total('churnstream_transaction_records_count'),
    cpuSecondsPerMillion: { replicas: perMillion(ofReplicas), broker: perMillion(spent.broker) },
    coresUsed: {
      replicas: ofReplicas / seconds,
      broker: spent.broker / seconds,
      bench: spent.bench / seconds,
      'other programs': (spent['all programs'] - ofReplicas - spent.broker - spent.bench) / seconds,
    },
  }
  const partitions = new Set(load.map(({ partition }) => partition)).size
  onProgress(
    `${measured.service}, ${replicas} replicas, ${partitions} partitions: ${Math.round(measured.eventsPerSecond)} events/s`,
  )
  return measured
}

const toOnePartition = (load: readonly OutgoingRecord[]): OutgoingRecord[] =>
  load.map((record) => ({ ...record, partition: 0 }))

function toText(
  { cores, drains, alone, elsewhere }: Omit<Scaling, 'text'>,
  brokerCores: number,
): string {
  const toCells = (drain: Drain, partitions: number): string[] => [
    drain.service,
    String(drain.replicas),
    String(partitions),
    grouped(drain.eventsPerSecond),
    drain.cpuSecondsPerMillion.replicas.toFixed(1),
    drain.cpuSecondsPerMillion.broker.toFixed(1),
    ...Object.values(drain.coresUsed).map((used) => used.toFixed(2)),
    drain.recordsPerTransaction.toFixed(0),
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
      'records/transaction',
      '× one',
      'foretold',
      'full',
    ],
    [
      ...drains.map((drain) => [
        ...toCells(drain, topics.playerActivity.partitions),
        (drain.eventsPerSecond / ofOne(drain.service).eventsPerSecond).toFixed(2),
        grouped(drain.foretold.eventsPerSecond),
        drain.foretold.full,
      ]),
      ...alone.map((drain) => [...toCells(drain, 1), '', '', '']),
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
    '',
    `Calculated from the drains by one replica, each with a core, and a broker of ${brokerCores} cores:`,
    there,
  ].join('\n')
}

/** What the figures say of more replicas than one. */
function toVerdicts(cores: number, drains: readonly Drain[]): string[] {
  return Map.groupBy(drains, ({ service }) => service)
    .entries()
    .map(([service, own]) => {
      const [one, ...more] = own as [Drain, ...Drain[]]
      const best = more.reduce((a, b) => (b.eventsPerSecond > a.eventsPerSecond ? b : a))
      const used = Object.values(best.coresUsed).reduce((sum, each) => sum + each, 0)
      const { replicas, broker } = best.coresUsed
      return (
        `${service}: ${best.replicas} replicas are the fastest of more than one, ` +
        `${(best.eventsPerSecond / one.eventsPerSecond).toFixed(2)} times as fast as one; ` +
        `${used.toFixed(2)} of ${cores} cores are busy then, ` +
        `${replicas.toFixed(2)} with replicas and ${broker.toFixed(2)} with the broker`
      )
    })
    .toArray()
}
