// What does an ONNX file ask for: which operators, inputs and outputs?
import { ContractProblem } from './problem.ts'
import { asBytes, asText, fieldsOf } from './protobuf.ts'

/** A tensor's element type as ONNX numbers it (1 float, 7 int64), 0 for what is no tensor. */
export interface OnnxValue {
  readonly name: string
  readonly elementType: number
  /** A dimension without a fixed length is undefined. */
  readonly shape: readonly (number | undefined)[]
}

export interface OnnxDescription {
  /** `domain.Operator` of every node, subgraphs and functions included, each once. */
  readonly operators: readonly string[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  /** Domains of the operator sets that the file imports; ai.onnx for the nameless one. */
  readonly domains: readonly string[]
  readonly hasExternalData: boolean
}

export const floatElement = 1
const maxDepth = 16

export const allowedDomains: ReadonlySet<string> = new Set(['ai.onnx', 'ai.onnx.ml'])

/**
 * What converters make of a binary tree ensemble. Nothing that loops, branches, reads files or comes
 * from a domain of its own.
 */
export const allowedOperators: ReadonlySet<string> = new Set([
  'ai.onnx.ml.TreeEnsembleClassifier',
  'ai.onnx.ml.TreeEnsembleRegressor',
  'ai.onnx.ml.Normalizer',
  'ai.onnx.Add',
  'ai.onnx.ArgMax',
  'ai.onnx.ml.ArrayFeatureExtractor',
  'ai.onnx.Cast',
  'ai.onnx.Concat',
  'ai.onnx.Constant',
  'ai.onnx.Div',
  'ai.onnx.Identity',
  'ai.onnx.Mul',
  'ai.onnx.Reshape',
  'ai.onnx.Sigmoid',
  'ai.onnx.Sub',
])

/**
 * Walks the file's protobuf without ONNX Runtime, so that nothing hostile reaches it.
 * Field numbers: onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export function describeOnnx(bytes: Uint8Array): OnnxDescription | ContractProblem {
  const found: Found = {
    operators: new Set(),
    domains: new Set(),
    inputs: [],
    outputs: [],
    hasExternalData: false,
    depth: 0,
  }
  let graphs = 0
  try {
    fieldsOf(bytes, (field, value) => {
      if (field === 7) {
        graphs++
        readGraph(asBytes(value), found, true)
      } else if (field === 8) found.domains.add(readDomain(asBytes(value)))
      else if (field === 20) readTraining(asBytes(value), found)
      else if (field === 25) readFunction(asBytes(value), found)
    })
  } catch (error) {
    return unreadable(`model.onnx is no ONNX file, or not whole: ${(error as Error).message}`)
  }
  // A protobuf reader merges messages that stand twice, and would see another graph than this one.
  if (graphs !== 1) return unreadable(`model.onnx holds ${graphs} graphs, not one`)
  const { operators, domains, depth: _, ...rest } = found
  return { ...rest, operators: [...operators].sort(), domains: [...domains].sort() }
}

const unreadable = (detail: string) => new ContractProblem('onnx-unreadable', detail)

interface Found {
  readonly operators: Set<string>
  readonly domains: Set<string>
  inputs: OnnxValue[]
  outputs: OnnxValue[]
  hasExternalData: boolean
  /** How many graphs the one being read stands in, itself included. */
  depth: number
}

function readDomain(bytes: Uint8Array): string {
  let domain = ''
  fieldsOf(bytes, (field, value) => {
    if (field === 1) domain = asText(value)
  })
  return nameOf(domain)
}

function readTraining(bytes: Uint8Array, found: Found): void {
  fieldsOf(bytes, (field, value) => {
    if (field === 1 || field === 2) readGraph(asBytes(value), found, false)
  })
}

function readFunction(bytes: Uint8Array, found: Found): void {
  fieldsOf(bytes, (field, value) => {
    if (field === 7) readNode(asBytes(value), found)
    else if (field === 9) found.domains.add(readDomain(asBytes(value)))
    else if (field === 11) readAttribute(asBytes(value), found)
  })
}

function readGraph(bytes: Uint8Array, found: Found, isMain: boolean): void {
  if (++found.depth > maxDepth) throw new Error(`graphs are nested more than ${maxDepth} deep`)
  const initialised = new Set<string>()
  const inputs: OnnxValue[] = []
  fieldsOf(bytes, (field, value) => {
    if (field === 1) readNode(asBytes(value), found)
    else if (field === 5) initialised.add(readTensor(asBytes(value), found))
    else if (field === 15) readSparseTensor(asBytes(value), found)
    else if (field === 11 && isMain) inputs.push(readValue(asBytes(value)))
    else if (field === 12 && isMain) found.outputs.push(readValue(asBytes(value)))
  })
  if (isMain) found.inputs = inputs.filter(({ name }) => !initialised.has(name))
  found.depth--
}

function readNode(bytes: Uint8Array, found: Found): void {
  let [operator, domain] = ['', '']
  fieldsOf(bytes, (field, value) => {
    if (field === 4) operator = asText(value)
    else if (field === 7) domain = asText(value)
    else if (field === 5) readAttribute(asBytes(value), found)
  })
  found.operators.add(`${nameOf(domain)}.${operator}`)
}

const nameOf = (domain: string): string => (domain === '' ? 'ai.onnx' : domain)

function readAttribute(bytes: Uint8Array, found: Found): void {
  fieldsOf(bytes, (field, value) => {
    if (field === 5 || field === 10) readTensor(asBytes(value), found)
    else if (field === 6 || field === 11) readGraph(asBytes(value), found, false)
    else if (field === 22 || field === 23) readSparseTensor(asBytes(value), found)
  })
}

function readSparseTensor(bytes: Uint8Array, found: Found): void {
  fieldsOf(bytes, (field, value) => {
    if (field === 1 || field === 2) readTensor(asBytes(value), found)
  })
}

function readTensor(bytes: Uint8Array, found: Found): string {
  let name = ''
  fieldsOf(bytes, (field, value) => {
    if (field === 8) name = asText(value)
    // external_data, or a data_location other than DEFAULT
    else if (field === 13 || (field === 14 && value !== 0)) found.hasExternalData = true
  })
  return name
}

function readValue(bytes: Uint8Array): OnnxValue {
  let [name, elementType] = ['', 0]
  const shape: (number | undefined)[] = []
  fieldsOf(bytes, (field, value) => {
    if (field === 1) name = asText(value)
    else if (field === 2) {
      fieldsOf(asBytes(value), (kind, type) => {
        if (kind !== 1) return
        fieldsOf(asBytes(type), (part, tensor) => {
          if (part === 1) elementType = tensor as number
          else if (part === 2) {
            fieldsOf(asBytes(tensor), (dim, dimension) => {
              if (dim === 1) shape.push(readDimension(asBytes(dimension)))
            })
          }
        })
      })
    }
  })
  return { name, elementType, shape }
}

function readDimension(bytes: Uint8Array): number | undefined {
  let length: number | undefined
  fieldsOf(bytes, (field, value) => {
    if (field === 1 && (value as number) > 0) length = value as number
  })
  return length
}
