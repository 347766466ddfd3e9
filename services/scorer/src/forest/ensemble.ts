// Which trees does an ONNX file hold?
import { asBytes, asText, fieldsOf, readNumbers } from '@churnstream/schemas/protobuf'

/** Trees in the order in which they are added up, as ONNX Runtime adds them. */
export interface Ensemble {
  readonly width: number
  readonly trees: readonly Tree[]
  /** Added last. */
  readonly base: number
  readonly isLogistic: boolean
}

/** A leaf's value, or a split. */
export type Tree = number | Split

/** Goes high where the value is at least the test, or is one of the test's values; else low. */
export interface Split {
  readonly feature: number
  readonly test: number | readonly number[]
  readonly isNullHigh: boolean
  readonly high: Tree
  readonly low: Tree
}

/** Another engine has to score this file: it is no forest that this code knows. */
export class NoForest extends Error {
  override name = 'NoForest'
}

const maxDepth = 1_000

/** @throws NoForest that says what is not known */
export function readEnsemble(onnx: Uint8Array, width: number): Ensemble {
  const node = onlyNode(onnx)
  const attributes = readAttributes(node)
  const { floats, integers, texts } = attributes
  const transform = texts('post_transform')[0] ?? 'NONE'
  if (transform !== 'NONE' && transform !== 'LOGISTIC') {
    throw new NoForest(`its scores are transformed by ${transform}`)
  }
  const labels = [...integers('classlabels_int64s'), ...texts('classlabels_strings')]
  if (labels.length !== 2) throw new NoForest(`it tells ${labels.length} classes apart, not two`)
  const classes = new Set(integers('class_ids'))
  if (classes.size !== 1) throw new NoForest('its leaves speak of more than one class')
  const [base = 0, ...more] = floats('base_values')
  if (more.length > 0) throw new NoForest('it has more than one base value')
  return { width, trees: readTrees(attributes, width), base, isLogistic: transform === 'LOGISTIC' }
}

function onlyNode(onnx: Uint8Array): Uint8Array {
  const nodes: Uint8Array[] = []
  fieldsOf(onnx, (field, graph) => {
    if (field !== 7) return
    fieldsOf(asBytes(graph), (part, node) => {
      if (part === 1) nodes.push(asBytes(node))
    })
  })
  const [node] = nodes
  if (node === undefined || nodes.length > 1) {
    throw new NoForest(`it has ${nodes.length} operators, not one`)
  }
  let operator = ''
  const outputs: string[] = []
  fieldsOf(node, (field, value) => {
    if (field === 2) outputs.push(asText(value))
    else if (field === 4) operator = asText(value)
  })
  if (operator !== 'TreeEnsembleClassifier') throw new NoForest(`its operator is ${operator}`)
  if (outputs[1] !== 'probabilities') throw new NoForest('its probabilities are not the operator’s')
  return node
}

interface Attributes {
  readonly floats: (name: string) => readonly number[]
  readonly integers: (name: string) => readonly number[]
  readonly texts: (name: string) => readonly string[]
}

function readAttributes(node: Uint8Array): Attributes {
  const found = {
    floats: new Map<string, number[]>(),
    integers: new Map<string, number[]>(),
    texts: new Map<string, string[]>(),
  }
  const names = new Set<string>()
  fieldsOf(node, (field, value) => {
    if (field !== 5) return
    let name = ''
    const floats: number[] = []
    const integers: number[] = []
    const texts: string[] = []
    fieldsOf(asBytes(value), (part, content) => {
      if (part === 1) name = asText(content)
      else if (part === 4 || part === 9) texts.push(asText(content))
      else if (part === 7) readNumbers(content, 'float', floats)
      else if (part === 8) readNumbers(content, 'integer', integers)
    })
    if (names.has(name)) throw new NoForest(`its attribute ${name} stands twice`)
    if (name.endsWith('_as_tensor')) throw new NoForest(`its attribute ${name} is a tensor`)
    names.add(name)
    found.floats.set(name, floats)
    found.integers.set(name, integers)
    found.texts.set(name, texts)
  })
  return {
    floats: (name) => found.floats.get(name) ?? [],
    integers: (name) => found.integers.get(name) ?? [],
    texts: (name) => found.texts.get(name) ?? [],
  }
}

function readTrees({ floats, integers, texts }: Attributes, width: number): Tree[] {
  const modes = texts('nodes_modes')
  const column = (name: string): readonly number[] => {
    const values = name === 'values' ? floats('nodes_values') : integers(`nodes_${name}`)
    if (values.length === modes.length) return values
    throw new NoForest(`nodes_${name} has ${values.length} entries for ${modes.length} nodes`)
  }
  const trees = column('treeids')
  const ids = column('nodeids')
  const features = column('featureids')
  const values = column('values')
  const whenTrue = column('truenodeids')
  const whenFalse = column('falsenodeids')
  const nullTracks = integers('nodes_missing_value_tracks_true')
  const isNullTrue = (node: number): boolean => nullTracks[node] === 1

  const places = new Map<number, Map<number, number>>()
  const roots: number[] = []
  for (const [node, tree] of trees.entries()) {
    let place = places.get(tree)
    if (place === undefined) {
      place = new Map()
      places.set(tree, place)
      roots.push(node)
    } else if (trees[node - 1] !== tree) throw new NoForest(`the nodes of tree ${tree} lie apart`)
    const id = ids[node] as number
    if (place.has(id)) throw new NoForest(`tree ${tree} has two nodes ${id}`)
    place.set(id, node)
  }
  const nodeOf = (tree: number, id: number): number => {
    const node = places.get(tree)?.get(id)
    if (node === undefined) throw new NoForest(`tree ${tree} has no node ${id}`)
    return node
  }
  const leaves = new Map<number, number>()
  const weights = floats('class_weights')
  const [leafTrees, leafIds] = [integers('class_treeids'), integers('class_nodeids')]
  for (const [entry, weight] of weights.entries()) {
    const node = nodeOf(leafTrees[entry] as number, leafIds[entry] as number)
    if (leaves.has(node)) throw new NoForest(`tree ${trees[node]} has a leaf of two values`)
    leaves.set(node, weight)
  }

  /** Shared subtrees are read again for each parent: a small file must not become a huge forest. */
  let reads = 0
  function read(node: number, depth: number): Tree {
    const tree = trees[node] as number
    if (++reads > modes.length * 2) throw new NoForest('its trees share nodes')
    if (depth > maxDepth) throw new NoForest(`tree ${tree} is more than ${maxDepth} levels deep`)
    const mode = modes[node] as string
    if (mode === 'LEAF') {
      const leaf = leaves.get(node)
      if (leaf === undefined) throw new NoForest(`tree ${tree} has a leaf without a value`)
      return leaf
    }
    const feature = features[node] as number
    if (!(feature >= 0 && feature < width)) throw new NoForest(`there is no feature ${feature}`)
    const value = values[node] as number
    if (Number.isNaN(value)) throw new NoForest(`tree ${tree} asks for NaN`)
    const follow = (ids: readonly number[], from: number): number =>
      nodeOf(tree, ids[from] as number)
    if (mode === 'BRANCH_EQ') {
      const members = [value]
      let last = node
      // Is it this, or this …: each "yes" leads to the same node.
      for (;;) {
        const next = follow(whenFalse, last)
        const isMore =
          modes[next] === mode &&
          features[next] === feature &&
          whenTrue[next] === whenTrue[node] &&
          isNullTrue(next) === isNullTrue(node)
        if (!isMore) break
        if (members.length > modes.length) throw new NoForest(`tree ${tree} has a circle`)
        members.push(values[next] as number)
        last = next
      }
      return {
        feature,
        test: [...new Set(members)].sort((a, b) => a - b),
        isNullHigh: isNullTrue(node),
        high: read(follow(whenTrue, node), depth + 1),
        low: read(follow(whenFalse, last), depth + 1),
      }
    }
    const yes = read(follow(whenTrue, node), depth + 1)
    const no = read(follow(whenFalse, node), depth + 1)
    // x ≤ t is x < the next number after t.
    const isBelow = mode === 'BRANCH_LT' || mode === 'BRANCH_LEQ'
    const isNext = mode === 'BRANCH_LEQ' || mode === 'BRANCH_GT'
    if (!isBelow && mode !== 'BRANCH_GTE' && mode !== 'BRANCH_GT') {
      throw new NoForest(`tree ${tree} has a node of mode ${mode}`)
    }
    if (isNext && value === Infinity) throw new NoForest(`tree ${tree} asks for more than Infinity`)
    const test = isNext ? nextFloat(value) : value
    return isBelow
      ? { feature, test, isNullHigh: !isNullTrue(node), low: yes, high: no }
      : { feature, test, isNullHigh: isNullTrue(node), low: no, high: yes }
  }
  return roots.map((root) => read(root, 0))
}

const bits = new DataView(new ArrayBuffer(4))

/** The next larger float32. After Infinity comes NaN, which nothing is at least. */
export function nextFloat(value: number): number {
  if (value === Infinity) return NaN
  if (value === 0) return 2 ** -149
  bits.setFloat32(0, value)
  bits.setInt32(0, bits.getInt32(0) + (value > 0 ? 1 : -1))
  return bits.getFloat32(0)
}
