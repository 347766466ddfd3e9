// Do MLmodel's signature, columns.json, the ONNX input and the feature catalogue agree?
import { catalogue, type Feature } from '../src/catalogue.ts'
import { parseColumns, type Column } from './columns.ts'
import { fillingOf, type Filling } from './filling.ts'
import {
  allowedDomains,
  allowedOperators,
  describeOnnx,
  floatElement,
  type OnnxDescription,
} from './onnx.ts'
import { ContractProblem } from './problem.ts'
import { parseSignature, type Signature, type SignatureColumn } from './signature.ts'

/** One line of the table that a person reads. */
export interface ColumnCheck {
  readonly index: number
  readonly column: string
  /** What fills it: a feature, `feature = level`, `feature (n levels)`, or – for nothing. */
  readonly source: string
  readonly signatureType: string
  readonly required: boolean | undefined
  /** Its type in feature-vectors, or –. */
  readonly vectorType: string
  readonly problem: ContractProblem | undefined
}

export interface Contract {
  readonly columns: readonly Column[]
  readonly rows: readonly ColumnCheck[]
  /** Empty when the model may score vectors. */
  readonly problems: readonly ContractProblem[]
}

export interface ContractParts {
  readonly mlmodel: string
  readonly columns: string
  readonly onnx: Uint8Array
}

/** All problems at once, those of single columns in their order first. */
export function checkContract(
  parts: ContractParts,
  features: readonly Feature[] = catalogue,
): Contract {
  const columns = parseColumns(parts.columns)
  const signature = parseSignature(parts.mlmodel)
  const onnx = describeOnnx(parts.onnx)
  const problems: ContractProblem[] = []
  for (const part of [columns, signature, onnx]) {
    if (part instanceof ContractProblem) problems.push(part)
  }
  if (columns instanceof ContractProblem) return { columns: [], rows: [], problems }

  const order = signature instanceof ContractProblem ? [] : orderProblems(columns, signature)
  const byName = new Map(
    signature instanceof ContractProblem || signature.kind === 'tensor'
      ? []
      : signature.columns.map((column) => [column.name, column]),
  )
  const rows = columns.map((column, index): ColumnCheck => {
    const filling = fillingOf(column, features)
    const declared = byName.get(column.name)
    const problem =
      order.find(({ column: name }) => name === column.name) ??
      fillingProblem(column, filling) ??
      (declared && filling ? typeProblem(declared, filling) : undefined)
    return {
      index,
      column: column.name,
      source: sourceText(filling),
      signatureType: declared?.type ?? tensorType(signature),
      required: declared?.required,
      vectorType: filling === undefined ? '–' : filling.kind === 'numeric' ? 'double' : 'string',
      problem,
    }
  })
  const inRows = rows.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))
  const others = order.filter((problem) => !inRows.includes(problem))
  const ofOnnx = onnx instanceof ContractProblem ? [] : onnxProblems(onnx, columns.length)
  return { columns, rows, problems: [...inRows, ...others, ...problems, ...ofOnnx] }
}

const tensorType = (signature: Signature | ContractProblem): string =>
  signature instanceof ContractProblem || signature.kind !== 'tensor' ? '–' : signature.type

/** The signature names the same columns in the same order; a tensor only has to be as wide. */
function orderProblems(columns: readonly Column[], signature: Signature): ContractProblem[] {
  if (signature.kind === 'tensor') {
    const isFloat = signature.type === 'float32' || signature.type === 'float64'
    const [rows, width, ...more] = signature.shape
    const isWide = width === columns.length && more.length === 0
    if (isFloat && isWide && rows === -1) return []
    const code = !isFloat ? 'wrong-type' : !isWide ? 'wrong-width' : 'wrong-input'
    const detail = `the signature is a ${signature.type} tensor of shape [${signature.shape.join(', ')}], columns.json has ${columns.length} columns: it must be float32 or float64 of [-1, ${columns.length}]`
    return [new ContractProblem(code, detail)]
  }
  const declared = signature.columns.map(({ name }) => name)
  const named = columns.map(({ name }) => name)
  const [inColumns, inSignature] = [new Set(named), new Set(declared)]
  const problems: ContractProblem[] = []
  const twice = declared.filter((name, index) => declared.indexOf(name) !== index)
  for (const name of new Set(twice)) {
    const detail = `the signature names ${name} twice`
    problems.push(new ContractProblem('duplicate-column', detail, name))
  }
  const renamed = new Set<string>()
  for (const [index, name] of named.entries()) {
    if (inSignature.has(name)) continue
    const other = declared[index]
    if (declared.length === named.length && other !== undefined && !inColumns.has(other)) {
      renamed.add(other)
      const detail = `column ${index} is ${name} in columns.json and ${other} in the signature`
      problems.push(new ContractProblem('renamed-column', detail, name))
    } else {
      const detail = `the signature lacks ${name}, which columns.json has at ${index}`
      problems.push(new ContractProblem('missing-column', detail, name))
    }
  }
  for (const [index, name] of declared.entries()) {
    if (inColumns.has(name) || renamed.has(name)) continue
    const detail = `the signature has ${name} at ${index}, which columns.json lacks`
    problems.push(new ContractProblem('extra-column', detail, name))
  }
  if (problems.length > 0) return problems
  const at = named.findIndex((name, index) => declared[index] !== name)
  if (at < 0) return []
  const detail = `column ${at} is ${named[at]} in columns.json and ${declared[at]} in the signature: the order differs`
  return [new ContractProblem('wrong-order', detail, named[at])]
}

function fillingProblem(
  { name }: Column,
  filling: Filling | undefined,
): ContractProblem | undefined {
  if (filling !== undefined) return undefined
  const detail =
    `no feature of the catalogue fills ${name}: a column is a numeric feature by name, ` +
    '<categorical feature>_<level>, or a categorical feature with its levels'
  return new ContractProblem('columns-not-in-catalogue', detail, name)
}

const numbers = new Set(['double', 'float'])
const integers = new Set(['integer', 'long'])

function typeProblem(
  { name, type }: SignatureColumn,
  { kind }: Filling,
): ContractProblem | undefined {
  if (numbers.has(type)) return undefined
  if (kind === 'one-hot' && (integers.has(type) || type === 'boolean')) return undefined
  if (kind === 'ordinal' && type === 'string') return undefined
  if (integers.has(type)) {
    const detail = `${name} is ${type} in the signature, but a vector may not know it and ${type} has no NaN: declare it double`
    return new ContractProblem('null-in-integer', detail, name)
  }
  const detail = `${name} is ${type} in the signature and a number in the model: declare it double`
  return new ContractProblem('wrong-type', detail, name)
}

function sourceText(filling: Filling | undefined): string {
  if (filling === undefined) return '–'
  if (filling.kind === 'numeric') return filling.feature
  if (filling.kind === 'one-hot') return `${filling.feature} = ${filling.level}`
  return `${filling.feature} (${filling.levels.length} levels)`
}

function onnxProblems(onnx: OnnxDescription, width: number): ContractProblem[] {
  const problems: ContractProblem[] = []
  const add = (code: ContractProblem['code'], detail: string) =>
    problems.push(new ContractProblem(code, detail))
  const foreign = onnx.operators.filter((operator) => !allowedOperators.has(operator))
  if (foreign.length > 0) {
    add(
      'operator-not-allowed',
      `model.onnx uses ${foreign.join(', ')}; a tree ensemble needs ${[...allowedOperators].join(', ')} at most`,
    )
  }
  const domains = onnx.domains.filter((domain) => !allowedDomains.has(domain))
  if (foreign.length === 0 && domains.length > 0) {
    add('operator-not-allowed', `model.onnx imports operators of ${domains.join(', ')}`)
  }
  if (onnx.hasExternalData) add('external-data', 'model.onnx keeps data in another file')
  const [input, ...others] = onnx.inputs
  const rowWidth = input?.shape[1]
  if (input === undefined || others.length > 0 || input.elementType !== floatElement) {
    add('wrong-input', 'model.onnx must have one input: a float tensor of [rows, columns]')
  } else if (input.shape.length !== 2 || input.shape[0] !== undefined) {
    add(
      'wrong-input',
      `the input ${input.name} of model.onnx must be [any number of rows, columns]`,
    )
  } else if (rowWidth !== width) {
    add(
      'wrong-width',
      `the input of model.onnx takes ${rowWidth ?? 'any number of'} columns, columns.json has ${width}`,
    )
  }
  const output = onnx.outputs.find(({ name }) => name === 'probabilities')
  // A file may leave a shape out; the golden rows then show how long the output is.
  const [, classes = 2] = output?.shape ?? []
  if (
    output?.elementType !== floatElement ||
    ![0, 2].includes(output.shape.length) ||
    classes !== 2
  ) {
    const found = onnx.outputs.map(({ name, shape }) => `${name} [${shapeText(shape)}]`)
    add(
      'wrong-output',
      `model.onnx must have a float output probabilities of [rows, 2]; it has ${found.join(', ') || 'none'}`,
    )
  }
  return problems
}

const shapeText = (shape: readonly (number | undefined)[]): string =>
  shape.map((length) => length ?? 'any').join(', ')
