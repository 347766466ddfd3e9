import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ageText, renderTable } from './table.ts'

test('renderTable - columns are as wide as their widest cell, and no line ends in blanks', () => {
  const text = renderTable(['a', 'long'], [['wide', 'b'], ['c']], { indent: '  ' })
  assert.equal(text, '  a     long\n  wide  b\n  c')
})

test('renderTable - figures may stand to the right', () => {
  const isRight = (column: number) => column > 0
  assert.equal(renderTable(['a', 'n'], [['x', '12']], { isRight }), 'a   n\nx  12')
})

test('ageText - the unit grows with the age', () => {
  const now = 1e12
  const ages = [0, 89_000, 91_000, 3_600_000, 86_400_000, 10 * 86_400_000]
  assert.deepEqual(
    ages.map((age) => ageText(now - age, now)),
    ['0 s ago', '89 s ago', '2 min ago', '60 min ago', '24 h ago', '10 days ago'],
  )
  assert.equal(ageText(null, now), '–')
})
