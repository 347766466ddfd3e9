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
  sparseExternalTensor?: boolean
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
    pbf.writeMessage(5, writeExternalTensor, {})
  }
  if (graph.sparseExternalTensor) {
    pbf.writeMessage(15, (_, sparse) => sparse.writeMessage(1, writeExternalTensor, {}), {})
  }
  for (const [field, values] of [
    [11, graph.inputs ?? []],
    [12, graph.outputs ?? []],
  ] as const) {
    for (const value of values) pbf.writeMessage(field, writeValue, value)
  }
}

const writeExternalTensor = (_: object, tensor: PbfWriter) => tensor.writeVarintField(14, 1)

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

/** @param more writes further fields of the model */
function onnxOf(
  change: Partial<GraphParts> = {},
  width = 3,
  more: (model: PbfWriter) => void = () => {},
): Uint8Array {
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
  more(pbf)
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
  assert.deepEqual(codesOf(tensor('float64', [-1, 3, 1])), ['wrong-width'])
  assert.deepEqual(codesOf(tensor('int64', [-1, 3])), ['wrong-type'])
  assert.deepEqual(codesOf(tensor('float32', [1, 3])), ['wrong-input'])
})

const disagreements: [string, Partial<ContractParts>, string[]][] = [
  ['columns.json is no JSON', { columns: '[' }, ['columns-unreadable']],
  ['columns.json is no list of names', { columns: '[1]' }, ['columns-unreadable']],
  ['a column twice', { columns: '["bets_7d", "bets_7d"]' }, ['duplicate-column']],
  [
    'a column twice in the signature',
    signed('bets_7d', 'market_gb', 'first_product', 'market_gb'),
    ['duplicate-column'],
  ],
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
    'probabilities of one class',
    {
      onnx: onnxOf({
        outputs: [{ name: 'probabilities', elementType: 1, shape: [undefined, 1] }],
      }),
    },
    ['wrong-output'],
  ],
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
  [
    'an operator hidden in a function',
    {
      onnx: onnxOf({}, 3, (model) =>
        model.writeMessage(
          25,
          (_, definition) =>
            definition.writeMessage(7, (_, node) => node.writeStringField(4, 'If'), {}),
          {},
        ),
      ),
    },
    ['operator-not-allowed'],
  ],
  [
    'an operator hidden in what only training needs',
    {
      onnx: onnxOf({}, 3, (model) =>
        model.writeMessage(
          20,
          (_, training) => training.writeMessage(2, writeGraph, { nodes: [{ operator: 'Scan' }] }),
          {},
        ),
      ),
    },
    ['operator-not-allowed'],
  ],
  [
    'operators imported from elsewhere',
    {
      onnx: onnxOf({}, 3, (model) =>
        model.writeMessage(8, (_, opset) => opset.writeStringField(1, 'com.example'), {}),
      ),
    },
    ['operator-not-allowed'],
  ],
  [
    'two graphs',
    { onnx: onnxOf({}, 3, (model) => model.writeMessage(7, writeGraph, { nodes: [trees] })) },
    ['onnx-unreadable'],
  ],
  [
    'sparse data in another file',
    { onnx: onnxOf({ sparseExternalTensor: true }) },
    ['external-data'],
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

test('checkContract - several problems are found at once', () => {
  const { problems } = checkContract({
    columns: '["bets_7d", "shoe_size"]',
    mlmodel: mlmodelOf([input('bets_7d', 'long'), input('shoe_size')]),
    onnx: onnxOf({ nodes: [{ operator: 'Loop' }], outputs: [] }, 5),
  })
  assert.deepEqual(
    problems.map(({ code }) => code),
    [
      'null-in-integer',
      'columns-not-in-catalogue',
      'operator-not-allowed',
      'wrong-width',
      'wrong-output',
    ],
  )
})

test('checkContract - MLflow types that fit a one-hot, an ordinal and a numeric column', () => {
  const fits: Record<string, string[]> = {
    bets_7d: ['double', 'float'],
    market_gb: ['double', 'float', 'integer', 'long', 'boolean'],
    first_product: ['double', 'float', 'string'],
  }
  const types = ['boolean', 'integer', 'long', 'float', 'double', 'string', 'datetime', 'binary']
  for (const [column, fitting] of Object.entries(fits)) {
    const accepted = [...types, 'array', 'object', 'map', 'any'].filter((type) => {
      const inputs = Object.keys(fits).map((name) => input(name, name === column ? type : 'double'))
      return codesOf({ mlmodel: mlmodelOf(inputs) }).length === 0
    })
    assert.deepEqual(accepted.toSorted(), fitting.toSorted(), column)
  }
})

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

test('describeOnnx - corrupted files, and graphs nested without end, never throw', () => {
  const whole = onnxOf({ externalTensor: true })
  // A linear congruential generator: the same numbers in every run.
  let state = 1
  const next = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  let unreadable = 0
  for (let round = 0; round < 5_000; round++) {
    const bytes = Uint8Array.from(whole)
    for (let flips = 0; flips <= round % 3; flips++) {
      bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256)
    }
    if (describeOnnx(bytes) instanceof ContractProblem) unreadable++
  }
  assert.ok(unreadable > 1_000 && unreadable < 5_000, String(unreadable))

  // From the inside: a graph in an attribute in a node in a graph.
  const headers: Uint8Array[] = []
  for (let length = 0, depth = 0; depth < 20_000; depth++) {
    for (const field of [6, 5, 1]) {
      const header = fieldHeader(field, length)
      headers.push(header)
      length += header.length
    }
  }
  const graph = Buffer.concat(headers.toReversed())
  const answer = describeOnnx(Buffer.concat([fieldHeader(7, graph.length), graph]))
  assert.ok(answer instanceof ContractProblem)
  assert.match(answer.detail, /nested/)
})

function fieldHeader(field: number, length: number): Uint8Array {
  const pbf = new PbfWriter()
  pbf.writeVarint((field << 3) | 2)
  pbf.writeVarint(length)
  return pbf.finish()
}

/**
 * One file for each model in production, with its columns.json and the inputs of its signature. Add
 * one when a version with other columns becomes champion, remove it when none has them any more.
 */
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

const withFeature = (name: string, change: Partial<Feature>): Feature[] =>
  catalogue.map((feature) => (feature.name === name ? { ...feature, ...change } : feature))
const breaking: [string, readonly Feature[], string][] = [
  ['removed', catalogue.filter(({ name }) => name !== 'silence_ratio'), 'silence_ratio'],
  ['renamed', withFeature('market', { name: 'region' }), 'market_gb'],
  ['retyped', withFeature('losing_streak', { type: 'string' }), 'losing_streak'],
]
for (const [what, features, column] of breaking) {
  test(`released models - a feature that is ${what} would be noticed`, () => {
    for (const { file, text } of releasedModels) {
      const problems = problemsOf(text, features)
      assert.ok(
        problems.some((p) => p.code === 'columns-not-in-catalogue' && p.column === column),
        file,
      )
    }
  })
}
