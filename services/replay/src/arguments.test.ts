// Is it said what is wrong with a command before anything is done?
import { UsageError } from '@churnstream/batch'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseArguments } from './arguments.ts'

const parse = (text: string) => parseArguments(text.split(' '))
const scores = 'scores --from 2026-10-01 --to 2026-11-01 --model m --to-target topic --id a'

test('parseArguments - what is usual need not be said', () => {
  const asked = parse('vectors --as-of 2026-11-16 --to-target v.parquet')
  assert.ok(asked?.verb === 'vectors')
  const { source, asOf, maxSilenceDays, maxRejectedShare, market } = asked
  assert.deepEqual(
    [source, asOf, maxSilenceDays, maxRejectedShare, market],
    ['topic', Date.UTC(2026, 10, 16), 60, 0.05, undefined],
  )
  assert.equal(parse(scores)?.verb, 'scores')
  assert.equal(parse('--help'), undefined)
})

test('parseArguments - each mistake is named with its option', () => {
  const mistakes: [string, RegExp][] = [
    ['scares', /no verb scares/],
    [`${scores} more`, /more is one word too many/],
    [`${scores} --as-of 2026-10-01`, /scores takes no --as-of/],
    [`${scores} --unknown`, /--unknown/],
    [scores.replace('--id a', ''), /needs --id/],
    [scores.replace('--id a', '--id a/b'), /--id is a\/b/],
    [scores.replace('2026-11-01', '2026-10-01'), /--from must be before --to/],
    [scores.replace('2026-11-01', 'today'), /--to is today/],
    ['vectors --as-of 2026-11-16 --to-target v.txt', /v\.txt is no target/],
    ['labels --until 2026-11-16 --to-target l.csv', /ends in \.csv\.gz/],
    ['labels --until 2026-11-16 --to-target l.csv.gz --share 2', /--share is 2/],
    ['labels --until 2026-11-16 --to-target l.csv.gz --seed 0.5', /--seed must be a whole number/],
  ]
  for (const [text, says] of mistakes) {
    assert.throws(
      () => parse(text.trim()),
      (error) => error instanceof UsageError && says.test(error.message),
      text,
    )
  }
})
