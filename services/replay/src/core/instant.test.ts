// Does an option name the same instant on every machine?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseInstant } from './instant.ts'

const at = (text: string): number => parseInstant('--from', text)

test('parseInstant - dates, times with a zone, and milliseconds', () => {
  const expected = Date.UTC(2026, 10, 16, 6)
  for (const text of ['2026-11-16T06:00Z', '2026-11-16T07:00:00+01:00', String(expected)]) {
    assert.equal(at(text), expected, text)
  }
  assert.equal(at('2026-11-16'), Date.UTC(2026, 10, 16))
})

test('parseInstant - what depends on the machine, or is no instant, is refused with an example', () => {
  for (const text of ['2026-11-16T06:00:00', '2026-13-01', 'yesterday', '1794', '2026-11-16Z']) {
    assert.throws(() => at(text), /--from is .*2026-11-16T06:00:00Z/, text)
  }
})
