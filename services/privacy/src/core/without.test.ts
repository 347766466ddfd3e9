// Do a player's rows go, and the others stay as they were?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutInCsv, withoutInJson, withoutInJsonLines } from './without.ts'

test('withoutInJsonLines - other lines stay to the byte, whatever they are', () => {
  const lines = [
    '{"playerId": "p-10"}\r\n',
    '{"playerId":"p-1"}\n',
    'no json\n',
    '["p-1",2]\n',
    '\n',
    '["p-12", 1]\n',
    '{"player_id": "p-1", broken\n',
    '{"a": "p-1 "}',
  ]
  const kept = [0, 2, 4, 5, 7].map((index) => lines[index])
  assert.deepEqual(withoutInJsonLines(lines.join(''), 'p-1'), { text: kept.join(''), removed: 3 })
})

test('withoutInCsv - rows end outside of quotes, and a name is a whole cell', () => {
  const text =
    'player_id,note\np-1,mine\np-10,"p-1,\nof two lines"\n"p-1","quoted\nover lines"\np-2,p-1 \n'
  const without = withoutInCsv(text, 'p-1')
  assert.equal(without.removed, 2)
  assert.equal(without.text, 'player_id,note\np-10,"p-1,\nof two lines"\np-2,p-1 \n')
})

test('withoutInJson - rows of a list, and of a table with its labels', () => {
  const rows = [{ player_id: 'p-1' }, { player_id: 'p-2' }]
  assert.deepEqual(withoutInJson(JSON.stringify(rows), 'p-1'), {
    text: '[{"player_id":"p-2"}]',
    removed: 1,
  })
  const split = { columns: ['a'], index: ['p-1', 'p-2', 'p-3'], data: [[1], [2], ['p-1']] }
  const left = withoutInJson(JSON.stringify(split), 'p-1')
  assert.deepEqual(JSON.parse(left?.text ?? ''), { columns: ['a'], index: ['p-2'], data: [[2]] })
  assert.equal(left?.removed, 2)
})

test('withoutInJson - says so when the player stands where no row can be taken out', () => {
  assert.equal(withoutInJson('{"p-1": {"a": 1}}', 'p-1'), undefined)
  assert.equal(withoutInJson('["p-1", ', 'p-1'), undefined)
  assert.equal(withoutInJson('{"owner": "p-1", "data": [["p-1"]]}', 'p-1'), undefined)
  assert.deepEqual(withoutInJson('{"a": 1}', 'p-1'), { text: '{"a": 1}', removed: 0 })
})
