// npm run bench -- peers: what do Kafka Streams, plain Java and Quix do of the same work?
import { messageOf } from '@churnstream/runtime'
import { contenders, type Contender } from './contenders.ts'
import { drain } from './drain.ts'
import {
  isOurs,
  ours,
  toFigure,
  toTable,
  type Figure,
  type Guarantee,
  type RunResult,
  type Setting,
  type Task,
} from './figures.ts'
import { install } from './installation.ts'
import { openLab, type Lab } from './lab.ts'
import { measureLimits } from './limits.ts'
import { openLoop } from './open-loop.ts'
import type { Part } from './parts.ts'
import { pin } from './process-cost.ts'
import { partsOf } from './profiled.ts'
import { processors } from './run.ts'

export interface PeersOptions {
  readonly dataDir: string
  readonly tasks: readonly Task[]
  /** All that can run here, unless told. */
  readonly contenders?: readonly string[]
  readonly guarantees: readonly Guarantee[]
  readonly cores: readonly (1 | 2)[]
  readonly loads: readonly Setting['load'][]
  readonly runs: number
  readonly events: number
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

export interface Comparison {
  readonly figures: readonly Figure[]
  readonly table: string
  /** Of ours, CPU seconds per million events by task, process and part. */
  readonly parts: Readonly<Record<string, Record<string, Record<Part, number>>>>
  /** Records or rows a second that nobody can beat. */
  readonly limits: Readonly<Record<string, number>>
  /** Who did not run, and why. */
  readonly leftOut: Readonly<Record<string, string>>
}

export async function benchPeers(options: PeersOptions): Promise<Comparison> {
  const { signal, onProgress } = options
  const installation = await install(onProgress, signal)
  const leftOut: Record<string, string> = {}
  const chosen = contenders.filter((contender) => {
    const { name } = contender
    if (options.contenders !== undefined && !options.contenders.includes(name)) return false
    const missing = contender.missing(installation)
    if (missing === undefined) return true
    onProgress(`${name} is left out: ${missing}`)
    leftOut[name] = missing
    return false
  })
  const cores = options.cores.filter((count) => {
    if (count === 2 || installation.taskset) return true
    onProgress('one core is left out: there is no taskset')
    leftOut['one core'] = 'there is no taskset'
    return false
  })
  await using lab = await openLab({ ...options, installation })
  const measured: Measured[] = []
  const parts: Record<string, Record<string, Record<Part, number>>> = {}
  onProgress('the raw limits')
  if (installation.taskset) pin(process.pid, processors.servers)
  const limits = await measureLimits(lab)
  // Open loops add to the inputs of their task, and F makes those of S anew: in this order only.
  for (const task of options.tasks) {
    for (const isDrain of [true, false]) {
      const loads = options.loads.filter((load) => (load === 'drain') === isDrain)
      for (const count of cores) {
        // The servers are its children.
        if (installation.taskset) {
          pin(process.pid, count === 1 ? processors.servers : processors.both)
        }
        const entries = entriesOf(chosen, { ...options, loads }, task, count)
        measured.push(...entries)
        for (let round = 0; round < options.runs; round++) {
          for (const entry of entries) await measure(lab, entry, leftOut, onProgress)
        }
        if (!isDrain || entries.length === 0 || parts[task] !== undefined) continue
        const own: Record<string, Record<Part, number>> = {}
        for (const contender of chosen.filter(({ name }) => isOurs(name))) {
          if (!contender.tasks.includes(task)) continue
          onProgress(`${task}, ${contender.name}: once more, under a profiler`)
          Object.assign(own, await partsOf(lab, contender, task, count))
        }
        parts[task] = own
      }
    }
  }
  const figures = measured
    .filter(({ results }) => results.length === options.runs)
    .map(({ setting, results }) => toFigure(setting, results, ownResults(measured, setting)))
  return { figures, table: toTable(figures), parts, limits, leftOut }
}

interface Measured {
  readonly contender: Contender
  readonly setting: Setting
  readonly results: RunResult[]
}

/** In the order in which a round takes them: who is compared runs one after the other. */
function entriesOf(
  chosen: readonly Contender[],
  { guarantees, loads }: PeersOptions,
  task: Task,
  cores: 1 | 2,
): Measured[] {
  return loads.flatMap((load) =>
    guarantees.flatMap((guarantee) =>
      chosen
        .filter((each) => each.tasks.includes(task) && each.guarantees.includes(guarantee))
        .map((contender) => ({
          contender,
          setting: { task, contender: contender.name, guarantee, cores, load },
          results: [],
        })),
    ),
  )
}

async function measure(
  lab: Lab,
  { contender, setting, results }: Measured,
  leftOut: Record<string, string>,
  onProgress: (line: string) => void,
): Promise<void> {
  const { task, guarantee, cores, load } = setting
  const title = `${task}, ${contender.name}, ${guarantee}, ${cores} core${cores === 1 ? '' : 's'}, ${load}`
  try {
    const result =
      load === 'drain'
        ? await drain(lab, contender, setting)
        : await openLoop(lab, contender, { ...setting, load })
    results.push(result)
    onProgress(`${title}: ${Math.round(result.events / result.seconds)} events/s`)
  } catch (error) {
    // One that fails takes no other's figures along, and has none itself.
    lab.running.throwIfAborted()
    onProgress(`${title}: ${messageOf(error)}`)
    leftOut[title] = messageOf(error)
  }
}

/** Ours is exactly once and stands beside both guarantees of the others. */
function ownResults(
  measured: readonly Measured[],
  { task, cores, load }: Setting,
): readonly RunResult[] | undefined {
  return measured.find(
    ({ setting }) =>
      setting.contender === ours &&
      setting.task === task &&
      setting.cores === cores &&
      setting.load === load,
  )?.results
}
