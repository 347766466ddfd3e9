// What do the forest's tests share? Made-up trees as ONNX writes them, and the plain way to walk them.
import { PbfWriter } from 'pbf'

export type Node = number | Branch

export interface Branch {
  readonly mode:
    'BRANCH_LT' | 'BRANCH_LEQ' | 'BRANCH_GT' | 'BRANCH_GTE' | 'BRANCH_EQ' | 'BRANCH_NEQ'
  readonly feature: number
  readonly value: number
  readonly isNullTrue: boolean
  readonly yes: Node
  readonly no: Node
}

/** The sum in float32, tree by tree. */
export function walk(trees: readonly Node[], base: number, row: ArrayLike<number>): number {
  let sum = 0
  for (const tree of trees) {
    let at = tree
    while (typeof at !== 'number') at = holds(at, row[at.feature] as number) ? at.yes : at.no
    sum = Math.fround(sum + at)
  }
  return Math.fround(sum + base)
}

function holds({ mode, value, isNullTrue }: Branch, x: number): boolean {
  if (Number.isNaN(x)) return isNullTrue
  if (mode === 'BRANCH_LT') return x < value
  if (mode === 'BRANCH_LEQ') return x <= value
  if (mode === 'BRANCH_GT') return x > value
  if (mode === 'BRANCH_GTE') return x >= value
  return (x === value) === (mode === 'BRANCH_EQ')
}

export interface ModelParts {
  readonly trees: readonly Node[]
  readonly width: number
  readonly base?: number
  readonly transform?: string
  readonly isPacked?: boolean
}

/** An ONNX file of one TreeEnsembleClassifier, as converters of XGBoost write it. */
export function onnxOf(parts: ModelParts): Uint8Array<ArrayBuffer> {
  const { trees, width, base = 0, transform = 'LOGISTIC', isPacked = false } = parts
  const integers: Record<string, number[]> = {}
  const floats: Record<string, number[]> = {}
  const modes: string[] = []
  const put = (into: Record<string, number[]>, name: string, value: number): void =>
    void (into[name] ??= []).push(value)
  for (const [tree, root] of trees.entries()) {
    // A branch that stands twice is one node, as in a chain of categories.
    const ids = new Map<Node | symbol, number>()
    const waiting: (readonly [Node, number])[] = [[root, 0]]
    let free = 1
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [node, id] = next
      const isLeaf = typeof node === 'number'
      const follow = (child: Node): number => {
        const key = typeof child === 'number' ? Symbol('leaf') : child
        const known = ids.get(key) ?? free++
        if (!ids.has(key)) waiting.push([child, known])
        ids.set(key, known)
        return known
      }
      put(integers, 'nodes_treeids', tree)
      put(integers, 'nodes_nodeids', id)
      put(integers, 'nodes_featureids', isLeaf ? 0 : node.feature)
      put(integers, 'nodes_truenodeids', isLeaf ? 0 : follow(node.yes))
      put(integers, 'nodes_falsenodeids', isLeaf ? 0 : follow(node.no))
      put(integers, 'nodes_missing_value_tracks_true', !isLeaf && node.isNullTrue ? 1 : 0)
      put(floats, 'nodes_values', isLeaf ? 0 : node.value)
      modes.push(isLeaf ? 'LEAF' : node.mode)
      if (!isLeaf) continue
      put(integers, 'class_treeids', tree)
      put(integers, 'class_nodeids', id)
      put(integers, 'class_ids', 0)
      put(floats, 'class_weights', node)
    }
  }
  integers['classlabels_int64s'] = [0, 1]
  floats['base_values'] = [base]

  const attribute =
    (name: string, type: number, value: Write): Write =>
    (pbf) => {
      pbf.writeStringField(1, name)
      value(pbf)
      pbf.writeVarintField(20, type)
    }
  const node: Write = (pbf) => {
    pbf.writeStringField(1, 'input')
    pbf.writeStringField(2, 'label')
    pbf.writeStringField(2, 'probabilities')
    pbf.writeStringField(4, 'TreeEnsembleClassifier')
    pbf.writeStringField(7, 'ai.onnx.ml')
    const attributes = [
      ...Object.entries(integers).map(([name, values]) =>
        attribute(name, 7, (pbf) => {
          if (isPacked) pbf.writePackedVarint(8, values)
          else for (const value of values) pbf.writeVarintField(8, value)
        }),
      ),
      ...Object.entries(floats).map(([name, values]) =>
        attribute(name, 6, (pbf) => {
          if (isPacked) pbf.writePackedFloat(7, values)
          else for (const value of values) pbf.writeFloatField(7, value)
        }),
      ),
      attribute('nodes_modes', 8, (pbf) => {
        for (const mode of modes) pbf.writeStringField(9, mode)
      }),
      attribute('post_transform', 3, (pbf) => pbf.writeStringField(4, transform)),
    ]
    for (const one of attributes) message(pbf, 5, one)
  }
  const value =
    (name: string, type: number, shape: readonly number[]): Write =>
    (pbf) => {
      pbf.writeStringField(1, name)
      message(pbf, 2, (pbf) =>
        message(pbf, 1, (pbf) => {
          pbf.writeVarintField(1, type)
          message(pbf, 2, (pbf) => {
            for (const length of shape) {
              message(pbf, 1, (pbf) => {
                if (length > 0) pbf.writeVarintField(1, length)
              })
            }
          })
        }),
      )
    }
  const pbf = new PbfWriter()
  pbf.writeVarintField(1, 8)
  message(pbf, 7, (pbf) => {
    message(pbf, 1, node)
    pbf.writeStringField(2, 'test')
    message(pbf, 11, value('input', 1, [0, width]))
    message(pbf, 12, value('label', 7, [0]))
    message(pbf, 12, value('probabilities', 1, [0, 2]))
  })
  message(pbf, 8, (pbf) => {
    pbf.writeStringField(1, 'ai.onnx.ml')
    pbf.writeVarintField(2, 3)
  })
  return Uint8Array.from(pbf.finish())
}

type Write = (pbf: PbfWriter) => void

const message = (pbf: PbfWriter, field: number, write: Write): void =>
  pbf.writeMessage(field, (_, inner) => write(inner), undefined)
