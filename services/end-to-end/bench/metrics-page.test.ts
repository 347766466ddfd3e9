import assert from 'node:assert/strict'
import { test } from 'node:test'
import { totalOf } from './metrics-page.ts'

const page = `# HELP seconds_sum of seconds_sum 9
seconds_sum{service="scorer",topic="a"} 1.5
seconds_sum{service="scorer",topic="b"} 2.5e-1 # {trace_id="7"} 4
seconds_sum_more 100
bytes{service="scorer"} 3e+6
# EOF
`

test('totalOf - adds up the series of the very name', () => {
  assert.equal(totalOf(page, 'seconds_sum'), 1.75)
  assert.equal(totalOf(page, 'bytes'), 3_000_000)
  assert.throws(() => totalOf(page, 'seconds'), /does not say seconds/)
})
