// Are the rows the same, whichever way pandas wrote them?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TableProblem, parseOrdered, toTable, type Table } from './orientation.ts'

const expected = new Set(['a', 'b', '7'])
const read = (text: string): Table => {
  const table = toTable(parseOrdered(text), expected)
  assert.ok(!(table instanceof TableProblem), JSON.stringify(table))
  return table
}

test('toTable - every orientation gives the rows in the order of the text', () => {
  const names = ['a', 'b']
  const rows = [
    [1, 'x'],
    [2, null],
    [3, 'y'],
  ]
  const texts = {
    columns: '{"a":{"11":1,"3":2,"7":3},"b":{"11":"x","3":null,"7":"y"}}',
    index: '{"11":{"a":1,"b":"x"},"3":{"a":2,"b":null},"7":{"a":3,"b":"y"}}',
    split: '{"columns":["a","b"],"index":[11,3,7],"data":[[1,"x"],[2,null],[3,"y"]]}',
    records: '[{"a":1,"b":"x"},{"a":2,"b":null},{"a":3,"b":"y"}]',
    table:
      '{"schema":{"fields":[],"primaryKey":["index"]},"data":[{"index":11,"a":1,"b":"x"},{"index":3,"a":2,"b":null},{"index":7,"a":3,"b":"y"}]}',
    lists: '{"a":[1,2,3],"b":["x",null,"y"]}',
  }
  for (const [orientation, text] of Object.entries(texts)) {
    assert.deepEqual(read(text), { names, rows }, orientation)
  }
  assert.deepEqual(read('[[1,"x"],[2,null],[3,"y"]]'), { names: undefined, rows })
})

test('toTable - a row may leave out what it has not', () => {
  const { names, rows } = read('[{"a":1},{"b":2}]')
  assert.deepEqual(
    [names, rows],
    [
      ['a', 'b'],
      [
        [1, undefined],
        [undefined, 2],
      ],
    ],
  )
})

test('parseOrdered - only keys are touched, and texts keep every character', () => {
  const text = String.raw`{"a":{"2":"\"1\":","1":"\\"},"7":{"2":"x: \"5\" :","1":"12"}}`
  const { names, rows } = read(text)
  assert.deepEqual(names, ['a', '7'])
  assert.deepEqual(rows, [
    ['"1":', 'x: "5" :'],
    ['\\', '12'],
  ])
})

test('toTable - what is no table is said to be none', () => {
  for (const [text, detail] of [
    ['3', /neither a list nor an object/],
    ['[1,2]', /neither objects nor lists/],
    ['[{"a":1},[2]]', /neither objects nor lists/],
    ['{"a":[1],"b":[1,2]}', /different lengths/],
    ['{"columns":["a"],"data":3}', /no list of rows/],
    ['{"columns":3,"data":[]}', /no list of columns/],
  ] as const) {
    const table = toTable(parseOrdered(text), expected)
    assert.ok(table instanceof TableProblem, text)
    assert.match(table.detail, detail)
  }
  assert.deepEqual(read('{}'), { names: [], rows: [] })
})
