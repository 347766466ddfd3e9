// What does the command line ask of the comparison?
import { contenders } from './contenders.ts'
import type { Guarantee, Setting, Task } from './figures.ts'
import type { PeersOptions } from './peers.ts'

export const peersFlags = {
  task: { type: 'string', default: 'all' },
  contender: { type: 'string' },
  guarantee: { type: 'string', default: 'exactly-once' },
  cores: { type: 'string', default: '1' },
  load: { type: 'string', default: 'drain,1000,5000' },
  runs: { type: 'string', default: '3' },
  events: { type: 'string', default: '1000000' },
} as const

type Flags = { readonly [flag in Exclude<keyof typeof peersFlags, 'contender'>]: string } & {
  readonly contender?: string | undefined
}

const tasks = ['S', 'F'] as const satisfies readonly Task[]
const guarantees = ['exactly-once', 'at-least-once'] as const satisfies readonly Guarantee[]
const cores = ['1', '2'] as const

/** @throws Error with what is wrong and what there is */
export function toPeersOptions(
  flags: Flags,
): Omit<PeersOptions, 'dataDir' | 'signal' | 'onProgress'> {
  const names = contenders.map(({ name }) => name)
  return {
    tasks: chosen('task', flags.task, tasks),
    contenders: chosen('contender', flags.contender ?? 'all', names),
    guarantees: chosen('guarantee', flags.guarantee, guarantees),
    cores: chosen('cores', flags.cores, cores).map((count) => (count === '1' ? 1 : 2)),
    loads: flags.load.split(',').map(toLoad),
    runs: positive('runs', flags.runs),
    events: positive('events', flags.events),
  }
}

/** In the order of what is known, whatever order they were named in. */
function chosen<T extends string>(flag: string, text: string, known: readonly T[]): readonly T[] {
  if (text === 'all') return known
  const names = text.split(',')
  if (!names.every((name) => known.some((each) => each === name))) {
    throw new Error(`--${flag} takes all, or of: ${known.join(', ')}`)
  }
  return known.filter((each) => names.includes(each))
}

const toLoad = (text: string): Setting['load'] =>
  text === 'drain' ? text : positive('load takes drain, or events a second, not', text)

export function positive(flag: string, text: string): number {
  const value = Number(text)
  if (!(Number.isSafeInteger(value) && value > 0)) throw new Error(`--${flag} ${text}`)
  return value
}
