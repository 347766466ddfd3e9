// Is each way in which a model's folder can disagree with itself found and named?
import { PbfWriter } from 'pbf'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { catalogue, type Feature } from '../src/catalogue.ts'
import { checkContract, type ContractParts } from './contract.ts'
import { describeOnnx } from './onnx.ts'
import { ContractProblem } from './problem.ts'

interface GraphParts {
  nodes: { operator: string; domain?: string; subgraph?: GraphParts }[]
  inputs?: { name: string; elementType: number; shape: (number | undefined)[] }[]
  outputs?: { name: string; elementType: number; shape: (number | undefined)[] }[]
  externalTensor?: boolean
}

/** Field numbers as in onnx.proto; see onnx.ts. */
function writeGraph(graph: GraphParts, pbf: PbfWriter): void {
  for (const { operator, domain, subgraph } of graph.nodes) {
    pbf.writeMessage(
      1,
      (_, node) => {
        node.writeStringField(4, operator)
        if (domain !== undefined) node.writeStringField(7, domain)
        if (subgraph) {
          node.writeMessage(
            5,
            (_, attribute) => attribute.writeMessage(6, writeGraph, subgraph),
            {},
          )
        }
      },
      {},
    )
  }
  if (graph.externalTensor) {
    pbf.writeMessage(5, (_, tensor) => tensor.writeVarintField(14, 1), {})
  }
  for (const [field, values] of [
    [11, graph.inputs ?? []],
    [12, graph.outputs ?? []],
  ] as const) {
    for (const value of values) pbf.writeMessage(field, writeValue, value)
  }
}

function writeValue(
  value: { name: string; elementType: number; shape: (number | undefined)[] },
  pbf: PbfWriter,
): void {
  pbf.writeStringField(1, value.name)
  const shape = (_: object, message: PbfWriter) => {
    for (const length of value.shape) {
      const dimension = (_: object, dim: PbfWriter) => {
        if (length !== undefined) dim.writeVarintField(1, length)
      }
      message.writeMessage(1, dimension, {})
    }
  }
  const tensor = (_: object, message: PbfWriter) => {
    message.writeVarintField(1, value.elementType)
    message.writeMessage(2, shape, {})
  }
  pbf.writeMessage(2, (_, type) => type.writeMessage(1, tensor, {}), {})
}

const trees = { operator: 'TreeEnsembleClassifier', domain: 'ai.onnx.ml' }

function onnxOf(change: Partial<GraphParts> = {}, width = 3): Uint8Array {
  const graph: GraphParts = {
    nodes: [trees],
    inputs: [{ name: 'input', elementType: 1, shape: [undefined, width] }],
    outputs: [
      { name: 'label', elementType: 7, shape: [undefined] },
      { name: 'probabilities', elementType: 1, shape: [undefined, 2] },
    ],
    ...change,
  }
  const pbf = new PbfWriter()
  pbf.writeVarintField(1, 8)
  pbf.writeMessage(7, writeGraph, graph)
  return pbf.finish()
}

const mlmodelOf = (inputs: readonly object[]) =>
  `artifact_path: model\nsignature:\n  inputs: '${JSON.stringify(inputs)}'\n  outputs: null\n`
const input = (name: string, type = 'double', required = true) => ({ name, type, required })

const good: ContractParts = {
  columns: JSON.stringify([
    'bets_7d',
    'market_gb',
    { name: 'first_product', levels: ['sport', 'casino'] },
  ]),
  mlmodel: mlmodelOf([
    input('bets_7d', 'double', false),
    input('market_gb', 'long'),
    input('first_product', 'string'),
  ]),
  onnx: onnxOf(),
}

const codesOf = (change: Partial<ContractParts>, features?: readonly Feature[]) =>
  checkContract({ ...good, ...change }, features).problems.map(({ code }) => code)
const signed = (...names: string[]) => ({ mlmodel: mlmodelOf(names.map((name) => input(name))) })

test('checkContract - what agrees has no problem, and a table says what fills each column', () => {
  const { problems, rows } = checkContract(good)
  assert.deepEqual(problems, [])
  assert.deepEqual(
    rows.map(({ source, signatureType, required, vectorType }) =>
      [source, signatureType, required, vectorType].join(' | '),
    ),
    [
      'bets_7d | double | false | double',
      'market = gb | long | true | string',
      'first_product (2 levels) | string | true | string',
    ],
  )
})

test('checkContract - a tensor signature is as good when it is as wide', () => {
  const tensor = (dtype: string, shape: number[]) => ({
    mlmodel: mlmodelOf([{ type: 'tensor', 'tensor-spec': { dtype, shape } }]),
  })
  assert.deepEqual(codesOf(tensor('float32', [-1, 3])), [])
  assert.deepEqual(codesOf(tensor('float32', [-1, 4])), ['wrong-width'])
  assert.deepEqual(codesOf(tensor('int64', [-1, 3])), ['wrong-type'])
})

const disagreements: [string, Partial<ContractParts>, string[]][] = [
  ['columns.json is no JSON', { columns: '[' }, ['columns-unreadable']],
  ['columns.json is no list of names', { columns: '[1]' }, ['columns-unreadable']],
  ['a column twice', { columns: '["bets_7d", "bets_7d"]' }, ['duplicate-column']],
  ['no signature', { mlmodel: 'artifact_path: model\n' }, ['signature-missing']],
  ['MLmodel is no YAML', { mlmodel: 'a: [1' }, ['signature-unreadable']],
  [
    'a signature that is no JSON',
    { mlmodel: 'signature:\n  inputs: "["' },
    ['signature-unreadable'],
  ],
  ['a column that the signature lacks', signed('bets_7d', 'market_gb'), ['missing-column']],
  [
    'a column too many in the signature',
    signed('bets_7d', 'market_gb', 'first_product', 'bets_1d'),
    ['extra-column'],
  ],
  [
    'a column by another name',
    signed('bets_7d', 'market_gb', 'first_bet_product'),
    ['renamed-column'],
  ],
  ['another order', signed('market_gb', 'bets_7d', 'first_product'), ['wrong-order']],
  [
    'text for a number',
    {
      mlmodel: mlmodelOf([input('bets_7d', 'string'), input('market_gb'), input('first_product')]),
    },
    ['wrong-type'],
  ],
  [
    'an integer for what may be unknown',
    { mlmodel: mlmodelOf([input('bets_7d', 'long'), input('market_gb'), input('first_product')]) },
    ['null-in-integer'],
  ],
  ['an ONNX input of another width', { onnx: onnxOf({}, 4) }, ['wrong-width']],
  [
    'an ONNX input that is no float',
    { onnx: onnxOf({ inputs: [{ name: 'input', elementType: 8, shape: [undefined, 3] }] }) },
    ['wrong-input'],
  ],
  [
    'an ONNX input of one row',
    { onnx: onnxOf({ inputs: [{ name: 'input', elementType: 1, shape: [1, 3] }] }) },
    ['wrong-input'],
  ],
  ['no probabilities', { onnx: onnxOf({ outputs: [] }) }, ['wrong-output']],
  [
    'an operator outside the list',
    { onnx: onnxOf({ nodes: [trees, { operator: 'Loop' }] }) },
    ['operator-not-allowed'],
  ],
  [
    'a domain of its own',
    { onnx: onnxOf({ nodes: [{ ...trees, domain: 'com.example' }] }) },
    ['operator-not-allowed'],
  ],
  [
    'an operator hidden in a subgraph',
    {
      onnx: onnxOf({
        nodes: [{ ...trees, subgraph: { nodes: [{ operator: 'PyOp', domain: 'x' }] } }],
      }),
    },
    ['operator-not-allowed'],
  ],
  ['data in another file', { onnx: onnxOf({ externalTensor: true }) }, ['external-data']],
  ['no ONNX at all', { onnx: new Uint8Array() }, ['onnx-unreadable']],
]
for (const [what, change, codes] of disagreements) {
  test(`checkContract - ${what} is found`, () => {
    const { problems } = checkContract({ ...good, ...change })
    assert.deepEqual(
      problems.map(({ code }) => code),
      codes,
    )
    for (const { detail } of problems) assert.ok(detail.length > 15, detail)
  })
}

test('checkContract - a column that no feature fills is named, and so are all others', () => {
  const names = ['bets_7d', 'shoe_size', 'market']
  const { problems, rows } = checkContract({
    ...good,
    ...signed(...names),
    columns: JSON.stringify(names),
  })
  assert.deepEqual(
    problems.map(({ code, column }) => `${code} ${column}`),
    ['columns-not-in-catalogue shoe_size', 'columns-not-in-catalogue market'],
  )
  assert.equal(rows[1]?.source, '–')
})

test('describeOnnx - a file that is cut short anywhere is a problem, never a throw', () => {
  const whole = onnxOf()
  assert.ok(!(describeOnnx(whole) instanceof ContractProblem))
  for (let length = 0; length < whole.length; length++) {
    assert.ok(describeOnnx(whole.subarray(0, length)) instanceof ContractProblem, String(length))
  }
})

const released = new URL('./released/', import.meta.url)
const releasedModels = readdirSync(released).map((file) => ({
  file,
  text: readFileSync(new URL(file, released), 'utf8'),
}))

function problemsOf(text: string, features: readonly Feature[]) {
  const { columns, signature } = JSON.parse(text) as { columns: unknown[]; signature: object[] }
  return checkContract(
    {
      columns: JSON.stringify(columns),
      mlmodel: mlmodelOf(signature),
      onnx: onnxOf({}, columns.length),
    },
    features,
  ).problems
}

test('released models - the catalogue fills every column of each', () => {
  assert.ok(releasedModels.length > 0)
  for (const { file, text } of releasedModels) {
    assert.deepEqual(problemsOf(text, catalogue), [], file)
  }
})

test('released models - a feature that is removed, renamed or retyped would be noticed', () => {
  const changes: Record<string, (features: Feature[]) => Feature[]> = {
    removed: (features) => features.filter(({ name }) => name !== 'silence_ratio'),
    renamed: (features) =>
      features.map((feature) =>
        feature.name === 'market' ? { ...feature, name: 'region' } : feature,
      ),
    retyped: (features) =>
      features.map((feature) =>
        feature.name === 'losing_streak' ? { ...feature, type: 'string' } : feature,
      ),
  }
  for (const [what, change] of Object.entries(changes)) {
    const broken = releasedModels.filter(
      ({ text }) => problemsOf(text, change([...catalogue])).length > 0,
    )
    assert.ok(broken.length > 0, what)
  }
})
