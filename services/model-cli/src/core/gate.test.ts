import { ContractProblem } from '@churnstream/schemas/model'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gateJson, gateTable, gateTag, gateText, isPassed, type Gate } from './gate.ts'

const problem = new ContractProblem('columns-not-in-catalogue', 'no feature fills age', 'age')
const row = { index: 0, source: 'bets_7d', signatureType: 'double', vectorType: 'double' }
const good = { ...row, column: 'bets_7d', required: false, problem: undefined }
const bad = {
  ...row,
  index: 1,
  column: 'age',
  source: '–',
  vectorType: '–',
  required: true,
  problem,
}

const gate = (...problems: ContractProblem[]): Gate => ({
  modelName: 'churn-gb',
  modelVersion: '3',
  contract: {
    columns: [{ name: 'bets_7d' }, { name: 'age' }],
    rows: problems.length === 0 ? [good] : [good, bad],
    problems,
  },
})

test('gateTag - passed, or each code once', () => {
  assert.equal(gateTag(gate()), 'passed')
  assert.equal(gateTag(gate(problem, problem)), 'refused: columns-not-in-catalogue')
  assert.deepEqual([isPassed(gate()), isPassed(gate(problem))], [true, false])
})

test('gateText - every problem below one sentence', () => {
  assert.match(gateText(gate()), /version 3 of churn-gb can serve the stream/)
  assert.equal(
    gateText(gate(problem)),
    'version 3 of churn-gb cannot serve the stream; npm run score takes rows with its columns\n' +
      '  columns-not-in-catalogue: no feature fills age',
  )
})

test('gateTable - a line for each column, the problem at its end', () => {
  const [, , last] = gateTable(gate(problem)).split('\n')
  assert.match(last ?? '', /^1 +age +– +double +yes +– +columns-not-in-catalogue$/)
})

test('gateJson - problems name their column', () => {
  const { problems } = gateJson(gate(problem)) as { problems: { column: string }[] }
  assert.deepEqual(
    problems.map(({ column }) => column),
    ['age'],
  )
})
