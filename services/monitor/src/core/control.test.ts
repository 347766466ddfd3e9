// Is the control group drawn evenly, by the salt alone?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isControl } from './control.ts'

const ids = Array.from({ length: 20_000 }, (_, index) => `player-${index}`)
const group = (share: number, salt: string) =>
  new Set(ids.filter((id) => isControl(id, { share, salt })))

test('isControl - as many as the share says, more of them with a larger one, others with another salt', () => {
  const tenth = group(0.1, 'a')
  assert.ok(Math.abs(tenth.size - 2_000) < 150, `${tenth.size} of 20,000`)
  assert.ok(tenth.isSubsetOf(group(0.2, 'a')))
  const both = tenth.intersection(group(0.1, 'b')).size
  assert.ok(Math.abs(both - 200) < 60, `${both} in both`)
  assert.equal(group(1, 'a').size, ids.length)
})

test('isControl - the formula is the one that is told to others', () => {
  // sha256 of "control:ada" begins with these eight hexadecimal digits.
  const share = 0x92696d2d / 2 ** 32
  assert.equal(isControl('ada', { share, salt: 'control' }), false)
  assert.equal(isControl('ada', { share: share + 2 ** -32, salt: 'control' }), true)
})
