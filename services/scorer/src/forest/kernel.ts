// Which instructions score a block of rows? Sixteen rows at once, each tree over all of the block.
import {
  assemble,
  call,
  f32,
  f32x4,
  get,
  i32,
  i8x16,
  repeat,
  set,
  tee,
  v128,
  when,
  type Code,
  type WasmFunction,
} from './assembler.ts'

/** Rows that one vector register holds, a byte each. */
export const groupRows = 16
export const blockRows = 256
/** Deeper than this a tree goes on row by row. */
export const topDepth = 6
/** The kinds of a tree: its depth, or this. */
export const deepKind = topDepth + 1

/** Where the memory says what lies where; layout.ts fills it. */
export const slots = {
  searches: 0,
  searchesEnd: 4,
  sets: 8,
  setsEnd: 12,
  trees: 16,
  treesEnd: 20,
  rows: 24,
  rowBytes: 28,
  columns: 32,
  groupBytes: 36,
  sums: 40,
  /** A vector that is read byte by byte. */
  places: 48,
  end: 64,
} as const

/** Of one feature: which of its thresholds are at most the value? */
export const search = {
  feature: 0,
  /** Four bytes before its first threshold: what a rank of 0 has reached. */
  table: 4,
  /** Bytes of half the table, a power of two. */
  half: 8,
  /** Where the rank goes, with 0 for NaN, and where with 255. */
  lowColumn: 12,
  highColumn: 16,
  bytes: 20,
} as const

/** Of one set of categories: is the value in it? */
export const member = { column: 0, table: 4, target: 8, keep: 12, bytes: 16 } as const

export const treeEntry = { tree: 0, kind: 4, bytes: 8 } as const

/** A tree whose splits lie like a heap: of each its column, then of each its rank, then the leaves. */
export function topLayout(depth: number): { rank: number; leaf: number; bytes: number } {
  const splits = 2 ** depth - 1
  const leaf = Math.ceil((splits * 3) / 4) * 4
  return { rank: splits * 2, leaf, bytes: leaf + 2 ** depth * 4 }
}

/**
 * A split below the top: a child is the address of one. A leaf is one too, with itself as its low
 * child, where it always goes, and with its value in the high one's place.
 */
export const split = { column: 0, rank: 2, low: 4, high: 8, bytes: 12 } as const

export function createKernelModule(): Uint8Array<ArrayBuffer> {
  const tops = Array.from({ length: topDepth + 1 }, (_, depth) => scoreTop(depth, addLeaves))
  return assemble([rankGroup, ...tops, scoreTop(topDepth, walkDown), run])
}

const add = i32.add
const slot = (name: keyof typeof slots): Code => i32.load(i32.const(0), slots[name])

const rankGroup: WasmFunction = (() => {
  // Parameters: the columns to fill, the rows, and where the rows end.
  const [columns, rows, rowsEnd, record, row, target, table, half] = [0, 1, 2, 3, 4, 5, 6, 7]
  const stride = 8
  const found = [9, 10, 11, 12]
  const values = [13, 14, 15, 16]
  const field = (name: keyof typeof search): Code => i32.load(get(record), search[name])
  const rank = (lane: number): Code =>
    i32.shiftRight(i32.subtract(get(found[lane] as number), get(table)), i32.const(2))
  const isNaN = (lane: number): Code => {
    const value = get(values[lane] as number)
    return i32.subtract(i32.const(0), f32.notEqual(value, value))
  }
  const flip = (value: Code): Code => i32.exclusiveOr(value, i32.const(0x80))
  const column = (name: 'lowColumn' | 'highColumn'): Code => add(get(target), field(name))
  const lanes = [0, 1, 2, 3]
  const step = lanes.flatMap((lane) => {
    const at = found[lane] as number
    const next = add(get(at), get(half))
    const reached = f32.lessOrEqual(f32.load(next), get(values[lane] as number))
    return set(at, i32.select(next, get(at), reached))
  })
  const fourRows = [
    ...lanes.flatMap((lane) => [
      ...set(values[lane] as number, f32.load(get(row))),
      ...set(found[lane] as number, get(table)),
      ...set(row, add(get(row), get(stride))),
    ]),
    ...set(half, field('half')),
    ...repeat(
      step,
      i32.lessUnsigned(i32.const(3), tee(half, i32.shiftRight(get(half), i32.const(1)))),
    ),
    ...lanes.flatMap((lane) => [
      ...i32.store8(column('lowColumn'), lane, flip(rank(lane))),
      ...i32.store8(column('highColumn'), lane, flip(i32.or(rank(lane), isNaN(lane)))),
    ]),
    ...set(target, add(get(target), i32.const(4))),
  ]
  const oneSearch = [
    ...set(row, add(get(rows), field('feature'))),
    ...set(table, field('table')),
    ...set(target, get(columns)),
    ...repeat(fourRows, i32.lessUnsigned(get(row), get(rowsEnd))),
  ]
  const [into, from] = [target, table]
  const has = (name: keyof typeof member): Code => i32.load(get(record), member[name])
  const oneSet = [
    ...set(from, add(get(columns), has('column'))),
    ...set(into, add(get(columns), has('target'))),
    ...set(row, add(get(into), i32.const(groupRows))),
    ...repeat(
      [
        ...i32.store8(
          get(into),
          0,
          i32.or(
            i32.and(i32.load8u(get(into)), has('keep')),
            i32.load8u(add(has('table'), i32.load8u(get(from)))),
          ),
        ),
        ...set(from, add(get(from), i32.const(1))),
        ...set(into, add(get(into), i32.const(1))),
      ],
      i32.lessUnsigned(get(into), get(row)),
    ),
  ]
  const each = (first: Code, end: Code, bytes: number, body: Code): Code => [
    ...set(record, first),
    ...when(
      i32.lessUnsigned(get(record), end),
      repeat(
        [...body, ...set(record, add(get(record), i32.const(bytes)))],
        i32.lessUnsigned(get(record), end),
      ),
    ),
  ]
  return {
    parameters: 3,
    locals: { i32: 10, f32: 4 },
    body: [
      ...set(stride, slot('rowBytes')),
      ...each(slot('searches'), slot('searchesEnd'), search.bytes, oneSearch),
      ...each(slot('sets'), slot('setsEnd'), member.bytes, oneSet),
    ],
  }
})()

// Parameters of scoreTop's functions.
const [tree, group, sums, sumsEnd, groupBytes] = [0, 1, 2, 3, 4]
const scratch = [5, 6, 7, 8, 9, 10]
const firstVector = 11

type AddLeaves = (options: { place: number; leaf: number }) => Code

/** @param finish takes where each row's leaf stands among the leaves, in bytes */
function scoreTop(depth: number, finish: AddLeaves): WasmFunction {
  const { rank, leaf } = topLayout(depth)
  const bit = (level: number): number => firstVector + level
  const place = bit(depth)
  const isHigh = (node: number): Code =>
    i8x16.greaterSigned(
      v128.load(add(get(group), i32.load16u(get(tree), node * 2))),
      v128.load8Splat(get(tree), rank + node),
    )
  /** Of a level: the answer of that split that the levels above chose. */
  const chosen = (level: number, above = 0, node = 0): Code =>
    above === level
      ? isHigh(node)
      : i8x16.select(
          chosen(level, above + 1, node * 2 + 2),
          chosen(level, above + 1, node * 2 + 1),
          get(bit(above)),
        )
  const twice = (value: Code): Code => [...tee(place, value), ...i8x16.add(get(place))]
  const levels = Array.from({ length: depth }, (_, level) => level)
  // All ones is minus one: the sum of the levels is negated in the end.
  const index = levels
    .slice(1)
    .reduce<Code>(
      (sum, level) => i8x16.add(twice(sum), get(bit(level))),
      depth === 0 ? v128.zero : get(bit(0)),
    )
  return {
    parameters: 5,
    locals: { i32: scratch.length, v128: depth + 1 },
    body: repeat(
      [
        ...levels.flatMap((level) => set(bit(level), chosen(level))),
        ...set(place, twice(twice(i8x16.negate(index)))),
        ...finish({ place, leaf }),
        ...set(group, add(get(group), get(groupBytes))),
      ],
      i32.lessUnsigned(tee(sums, add(get(sums), i32.const(groupRows * 4))), get(sumsEnd)),
    ),
  }
}

/** Four sums at a time. */
const addLeaves: AddLeaves = ({ place, leaf }) =>
  [0, 4, 8, 12].flatMap((first) => {
    const at = (lane: number): Code => add(get(tree), i8x16.extract(first + lane, get(place)))
    const [one, ...others] = [0, 1, 2, 3]
    const leaves = others.reduce<Code>(
      (lanes, lane) => v128.load32Lane(lane, i32.add(at(lane), i32.const(leaf)), lanes),
      v128.load32Zero(at(one as number), leaf),
    )
    return v128.store(get(sums), first * 4, f32x4.add(leaves, v128.load(get(sums), first * 4)))
  })

/** What follows the top is the address of a split. Four rows go down until all of them stay. */
const walkDown: AddLeaves = ({ place, leaf }) => {
  const [row, moved, ...at] = scratch as [number, number, ...number[]]
  const start = at.flatMap((local, lane) => {
    const top = i32.load8u(get(row), slots.places + lane)
    return set(local, i32.load(add(get(tree), top), leaf))
  })
  const step = at.flatMap((local, lane) => {
    const value = i32.load8s(
      add(add(get(group), get(row)), i32.load16u(get(local), split.column)),
      lane,
    )
    const isHigh = i32.greaterSigned(value, i32.load8s(get(local), split.rank))
    const child = i32.load(add(get(local), i32.shiftLeft(isHigh, i32.const(2))), split.low)
    return set(moved, i32.or(get(moved), i32.exclusiveOr(get(local), tee(local, child))))
  })
  const end = at.flatMap((local, lane) => {
    const sum = add(get(sums), i32.shiftLeft(get(row), i32.const(2)))
    const value = f32.load(get(local), split.high)
    return f32.store(sum, lane * 4, f32.add(f32.load(sum, lane * 4), value))
  })
  const rowsLeft = i32.shiftRight(i32.subtract(get(sumsEnd), get(sums)), i32.const(2))
  return [
    ...v128.store(i32.const(slots.places), 0, get(place)),
    ...set(row, i32.const(0)),
    ...repeat(
      [
        ...start,
        ...repeat([...set(moved, i32.const(0)), ...step], get(moved)),
        ...end,
        ...set(row, add(get(row), i32.const(at.length))),
      ],
      i32.and(
        i32.lessUnsigned(get(row), i32.const(groupRows)),
        i32.lessUnsigned(get(row), rowsLeft),
      ),
    ),
  ]
}

const run: WasmFunction = (() => {
  // Parameter: how many rows there are.
  const [count, columns, rows, left, entry, kind] = [0, 1, 2, 3, 4, 5]
  const groupWidth = i32.multiply(slot('rowBytes'), i32.const(groupRows))
  const rankAll = [
    ...set(columns, slot('columns')),
    ...set(rows, slot('rows')),
    ...set(left, get(count)),
    ...repeat(
      [
        ...when(
          i32.greaterSigned(get(left), i32.const(groupRows)),
          call(0, get(columns), get(rows), add(get(rows), groupWidth)),
          call(
            0,
            get(columns),
            get(rows),
            add(get(rows), i32.multiply(get(left), slot('rowBytes'))),
          ),
        ),
        ...set(columns, add(get(columns), slot('groupBytes'))),
        ...set(rows, add(get(rows), groupWidth)),
      ],
      i32.greaterSigned(tee(left, i32.subtract(get(left), i32.const(groupRows))), i32.const(0)),
    ),
  ]
  const scoreAs = (kind: number): Code =>
    call(
      1 + kind,
      i32.load(get(entry), treeEntry.tree),
      slot('columns'),
      slot('sums'),
      add(slot('sums'), i32.shiftLeft(get(count), i32.const(2))),
      slot('groupBytes'),
    )
  const kinds = Array.from({ length: deepKind }, (_, index) => index)
  const scoreTree = kinds.reduce(
    (otherwise, one) => when(i32.equal(get(kind), i32.const(one)), scoreAs(one), otherwise),
    scoreAs(deepKind),
  )
  return {
    parameters: 1,
    locals: { i32: 5 },
    body: [
      ...rankAll,
      ...set(entry, slot('trees')),
      ...repeat(
        [
          ...set(kind, i32.load(get(entry), treeEntry.kind)),
          ...scoreTree,
          ...set(entry, add(get(entry), i32.const(treeEntry.bytes))),
        ],
        i32.lessUnsigned(get(entry), slot('treesEnd')),
      ),
    ],
  }
})()
