// Is what is asked understood, or refused with what to do?
import { UsageError } from '@churnstream/batch'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseArguments } from './arguments.ts'

test('parseArguments - a player is erased with what stands in the record, or looked for', () => {
  const asked = parseArguments(['erase', 'p-1', '--market', 'gb', '--wait', '30s'])
  assert.equal(asked?.player, 'p-1')
  assert.equal(asked?.market, 'gb')
  assert.equal(asked?.waitMs, 30_000)
  assert.equal(parseArguments(['prove', 'p-1'])?.verb, 'prove')
  assert.equal(parseArguments(['repeat'])?.verb, 'repeat')
  assert.equal(parseArguments([]), undefined)
})

test('parseArguments - what is missing, too much or unknown is refused', () => {
  const refused = [['erase'], ['erase', ''], ['erase', 'a', 'b'], ['repeat', 'a'], ['forget', 'a']]
  for (const args of [...refused, ['prove', 'a', '--quickly'], ['erase', 'a', '--wait', 'long']]) {
    assert.throws(() => parseArguments(args), UsageError, args.join(' '))
  }
})
