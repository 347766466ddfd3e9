// On which part of the work does a service of ours spend its time?

/** As V8 writes them, times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly startTime: number
  readonly timeDeltas: readonly number[]
}

const parts = ['fetch', 'decode', 'fold', 'score', 'encode', 'produce', 'commit'] as const

/** What belongs to no part of the work; idle time is not counted. */
export type Part = (typeof parts)[number] | 'collecting garbage' | 'the rest'

/** The innermost frame that matches says where time goes: file, and function where it matters. */
const rules: readonly (readonly [Part, RegExp])[] = [
  [
    'commit',
    /kafkajs\/(transaction-manager|.*eosManager)|requests\/(endTxn|addOffsetsToTxn|txnOffsetCommit|addPartitionsToTxn)/,
  ],
  [
    'produce',
    /kafkajs\/(send-messages|produce-request)|kafkajs\/record-batch\.ts#encode|kafkajs\/src\/producer\/|requests\/produce\//,
  ],
  [
    'fetch',
    /kafkajs\/(fetched-batch|decode-messages|partition-reader|co-partitioned|record-batch)|kafkajs\/src\/consumer\/|requests\/fetch\//,
  ],
  ['encode', /schemas\/src\/(codec\.ts#encode|write\.ts)|\/processor\.ts#toRecord/],
  ['decode', /schemas\/src\/codec\.ts#decode|schemas\/model\/vector\.ts#(decode|visit)/],
  ['fold', /services\/features\/src\//],
  ['score', /services\/scorer\/src\/|schemas\/model\/vector\.ts#(rows|fill)|onnxruntime/],
]

/** Seconds by part, between two instants of the clock that counts from the machine's start. */
export function secondsByPart(
  { nodes, samples, startTime, timeDeltas }: CpuProfile,
  fromMs: number,
  toMs: number,
): Record<Part, number> {
  const partOf = new Map<number, Part | 'idle'>()
  const parentOf = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  )
  const nodeOf = new Map(nodes.map((node) => [node.id, node]))
  const judge = (id: number): Part | 'idle' => {
    const known = partOf.get(id)
    if (known !== undefined) return known
    const { functionName, url } = nodeOf.get(id)?.callFrame ?? { functionName: '', url: '' }
    const parent = parentOf.get(id)
    const found =
      functionName === '(idle)'
        ? 'idle'
        : functionName === '(garbage collector)'
          ? 'collecting garbage'
          : (rules.find(([, rule]) => rule.test(`${url}#${functionName}`))?.[0] ??
            (parent === undefined ? 'the rest' : judge(parent)))
    partOf.set(id, found)
    return found
  }
  const seconds = Object.fromEntries(
    [...parts, 'collecting garbage', 'the rest'].map((part) => [part, 0]),
  ) as Record<Part, number>
  let at = startTime
  for (const [index, id] of samples.entries()) {
    at += timeDeltas[index] ?? 0
    if (at < fromMs * 1000 || at > toMs * 1000) continue
    const part = judge(id)
    if (part !== 'idle') seconds[part] += (timeDeltas[index] ?? 0) / 1e6
  }
  return seconds
}

/**
 * What each part costs of so much processor time, from the profiles of the threads of a process: their
 * own times are those of the wall, and longer where other programs run too.
 */
export function shared(
  threads: readonly Readonly<Record<Part, number>>[],
  cpuSeconds: number,
): Record<Part, number> {
  const sums = new Map<string, number>()
  for (const thread of threads) {
    for (const [part, seconds] of Object.entries(thread)) {
      sums.set(part, (sums.get(part) ?? 0) + seconds)
    }
  }
  const total = [...sums.values()].reduce((sum, seconds) => sum + seconds, 0)
  const entries = [...sums].map(([part, seconds]) => [part, (seconds * cpuSeconds) / total])
  return Object.fromEntries(entries) as Record<Part, number>
}
