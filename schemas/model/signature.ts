// Which inputs does MLflow's MLmodel file declare?
import { parse } from 'yaml'
import { ContractProblem } from './problem.ts'

/** One named input. A type is MLflow's: boolean, integer, long, float, double, string, datetime … */
export interface SignatureColumn {
  readonly name: string
  readonly type: string
  /** False when the example lacked it; MLflow takes a column as required unless it says otherwise. */
  readonly required: boolean
}

/** Named columns, or a tensor that only says how many there are. */
export type Signature =
  | { readonly kind: 'columns'; readonly columns: readonly SignatureColumn[] }
  | { readonly kind: 'tensor'; readonly type: string; readonly shape: readonly number[] }

/** `signature.inputs` is JSON in a string of the YAML file. */
export function parseSignature(mlmodel: string): Signature | ContractProblem {
  let document: unknown
  try {
    // No aliases: a small file must not grow into a large one.
    document = parse(mlmodel, { maxAliasCount: 0, logLevel: 'error' })
  } catch (error) {
    return unreadable(`MLmodel is no YAML: ${(error as Error).message}`)
  }
  const inputs = (document as { signature?: { inputs?: unknown } } | null)?.signature?.inputs
  if (inputs === undefined || inputs === null) {
    const detail =
      'MLmodel declares no signature, so nothing says which inputs the model expects: ' +
      'log it with a signature or an input example'
    return new ContractProblem('signature-missing', detail)
  }
  if (typeof inputs !== 'string') return unreadable('signature.inputs of MLmodel is no text')
  let list: unknown
  try {
    list = JSON.parse(inputs)
  } catch (error) {
    return unreadable(`signature.inputs of MLmodel is no JSON: ${(error as Error).message}`)
  }
  if (!Array.isArray(list) || list.length === 0) return unreadable('signature.inputs is no list')
  return list.length === 1 && isTensor(list[0]) ? toTensor(list[0]) : toColumns(list)
}

interface TensorInput {
  'tensor-spec'?: { dtype?: unknown; shape?: unknown }
}

const isTensor = (input: unknown): input is TensorInput =>
  (input as { type?: unknown } | null)?.type === 'tensor'

function toTensor({ 'tensor-spec': spec }: TensorInput): Signature | ContractProblem {
  const { dtype, shape } = spec ?? {}
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(Number.isInteger)) {
    return unreadable('the tensor of signature.inputs lacks dtype or shape')
  }
  return { kind: 'tensor', type: dtype, shape: shape as number[] }
}

function toColumns(list: readonly unknown[]): Signature | ContractProblem {
  const columns: SignatureColumn[] = []
  for (const [index, input] of list.entries()) {
    const { name, type, required } = (input ?? {}) as Record<string, unknown>
    if (typeof name !== 'string' || typeof type !== 'string') {
      return unreadable(`entry ${index} of signature.inputs has no name and type`)
    }
    columns.push({ name, type, required: required !== false })
  }
  return { kind: 'columns', columns }
}

const unreadable = (detail: string) => new ContractProblem('signature-unreadable', detail)
