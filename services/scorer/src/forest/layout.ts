// How does a forest lie in the kernel's memory?
import { Columns, toSigned, type Place } from './columns.ts'
import { NoForest, type Ensemble, type Tree } from './ensemble.ts'
import {
  blockRows,
  deepKind,
  groupRows,
  member,
  search,
  slots,
  split,
  topDepth,
  topLayout,
  treeEntry,
} from './kernel.ts'

export interface Layout {
  readonly memory: WebAssembly.Memory
  readonly rows: Float32Array<ArrayBuffer>
  readonly sums: Float32Array<ArrayBuffer>
}

const pageBytes = 65_536
/** The kernel names a column by its place in two bytes. */
const maxColumns = Math.floor(65_536 / groupRows)

/** @throws NoForest when there are more columns than the kernel can name */
export function layOut(ensemble: Ensemble): Layout {
  const columns = new Columns(ensemble)
  const image = new Image(slots.end)
  const trees = ensemble.trees.map((tree) => placeTree(image, columns, tree))
  if (columns.count > maxColumns) {
    throw new NoForest(`its splits need ${columns.count} columns, the kernel has ${maxColumns}`)
  }
  const searches = columns.tables.map((table) => {
    // A power of two less one: the search halves it. Nothing is at least NaN.
    const length = 2 ** Math.ceil(Math.log2(table.thresholds.length + 1))
    const at = image.reserve(length * 4)
    for (let index = 0; index < length; index++) {
      image.view.setFloat32(at + index * 4, table.thresholds[index] ?? NaN, true)
    }
    return { ...table, at, half: length * 2 }
  })
  const sets = columns.sets.map(({ column, ranks, target, isMore }) => {
    const at = image.reserve(256)
    for (const rank of ranks) image.view.setUint8(at + (toSigned(rank) & 0xff), 1)
    return { column, target, isMore, at }
  })
  const slot = (name: keyof typeof slots, value: number): void =>
    image.view.setUint32(slots[name], value, true)
  const list = <T>(
    from: keyof typeof slots,
    to: keyof typeof slots,
    items: readonly T[],
    bytes: number,
    wordsOf: (item: T) => readonly (readonly [number, number])[],
  ): void => {
    const at = image.reserve(items.length * bytes)
    slot(from, at)
    slot(to, at + items.length * bytes)
    for (const [index, item] of items.entries()) {
      for (const [field, word] of wordsOf(item)) {
        image.view.setUint32(at + index * bytes + field, word, true)
      }
    }
  }
  list('searches', 'searchesEnd', searches, search.bytes, (one) => [
    [search.feature, one.feature * 4],
    [search.table, one.at - 4],
    [search.half, one.half],
    [search.lowColumn, one.lowColumn * groupRows],
    [search.highColumn, one.highColumn * groupRows],
  ])
  list('sets', 'setsEnd', sets, member.bytes, (one) => [
    [member.column, one.column * groupRows],
    [member.table, one.at],
    [member.target, one.target * groupRows],
    [member.keep, one.isMore ? 1 : 0],
  ])
  list('trees', 'treesEnd', trees, treeEntry.bytes, ({ at, kind }) => [
    [treeEntry.tree, at],
    [treeEntry.kind, kind],
  ])
  const [rowBytes, groupBytes] = [ensemble.width * 4, columns.count * groupRows]
  const rows = image.reserve(blockRows * rowBytes)
  const sums = image.reserve(blockRows * 4)
  slot('rows', rows)
  slot('rowBytes', rowBytes)
  slot('columns', image.reserve((blockRows / groupRows) * groupBytes))
  slot('groupBytes', groupBytes)
  slot('sums', sums)

  const memory = new WebAssembly.Memory({ initial: Math.ceil(image.bytes.length / pageBytes) })
  new Uint8Array(memory.buffer).set(image.bytes)
  return {
    memory,
    rows: new Float32Array(memory.buffer, rows, blockRows * ensemble.width),
    sums: new Float32Array(memory.buffer, sums, blockRows),
  }
}

/** Bytes that grow. */
class Image {
  #bytes = new Uint8Array(pageBytes)
  view = new DataView(this.#bytes.buffer)
  #length: number

  constructor(reserved: number) {
    this.#length = reserved
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** @returns where; of 16 bytes each, no vector lies across two lines of the cache */
  reserve(bytes: number, alignment = 16): number {
    const at = Math.ceil(this.#length / alignment) * alignment
    this.#length = at + bytes
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
      this.view = new DataView(grown.buffer)
    }
    return at
  }
}

function placeTree(image: Image, columns: Columns, tree: Tree): { at: number; kind: number } {
  const depth = Math.min(depthOf(tree), topDepth + 1)
  const isDeep = depth > topDepth
  const top = Math.min(depth, topDepth)
  const { rank, leaf, bytes } = topLayout(top)
  const at = image.reserve(bytes)
  const put = (index: number, { column, above }: Place): void => {
    image.view.setUint16(at + index * 2, column * groupRows, true)
    image.view.setInt8(at + rank + index, above)
  }
  /** @param index among the splits of a heap, the leaves' level included */
  function fill(index: number, level: number, part: Tree): void {
    if (level === top) {
      const lane = at + leaf + leafPlace(index, top) * 4
      if (!isDeep) image.view.setFloat32(lane, part as number, true)
      else {
        const address = placePart(image, columns, part)
        image.view.setUint32(lane, address, true)
      }
      return
    }
    put(index, typeof part === 'number' ? nowhere : columns.placeOf(part))
    const [low, high] = typeof part === 'number' ? [part, part] : [part.low, part.high]
    fill(index * 2 + 1, level + 1, low)
    fill(index * 2 + 2, level + 1, high)
  }
  fill(0, 0, tree)
  return { at, kind: isDeep ? deepKind : top }
}

/** A split that a leaf stands for: always low. */
const nowhere: Place = { column: 0, above: 127 }

/** The levels' answers are read as one number, the root's the highest. */
const leafPlace = (index: number, depth: number): number => index + 1 - 2 ** depth

function placePart(image: Image, columns: Columns, part: Tree): number {
  const at = image.reserve(split.bytes, 4)
  const isLeaf = typeof part === 'number'
  const { column, above } = isLeaf ? nowhere : columns.placeOf(part)
  const low = isLeaf ? at : placePart(image, columns, part.low)
  const high = isLeaf ? part : placePart(image, columns, part.high)
  const { view } = image
  view.setUint16(at + split.column, column * groupRows, true)
  view.setInt8(at + split.rank, above)
  view.setUint32(at + split.low, low, true)
  if (isLeaf) view.setFloat32(at + split.high, high, true)
  else view.setUint32(at + split.high, high, true)
  return at
}

function depthOf(tree: Tree): number {
  return typeof tree === 'number' ? 0 : 1 + Math.max(depthOf(tree.low), depthOf(tree.high))
}
