import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePublish, parseScore } from './arguments.ts'
import { UsageError } from './exit.ts'

const words = (line: string): string[] => line.split(' ').filter(Boolean)
const score = (line: string) => parseScore(words(line))

test('parseScore - a source, a model and a target are enough', () => {
  assert.deepEqual(score('rows.csv --model models:/churn-gb@champion --to out/s.parquet'), {
    source: 'rows.csv',
    model: 'models:/churn-gb@champion',
    to: { kind: 'file', target: 'out/s.parquet' },
    rejects: 'out/s.parquet.rejects.jsonl',
    asOf: undefined,
    market: undefined,
    maxRejectedShare: 0.05,
    isJson: false,
    dataDir: undefined,
  })
})

test('parseScore - everything that can be said', () => {
  const command = score(
    's3://b/landing/rows/ --model m --to postgres --slot weekly/gb --rejects r.jsonl --as-of ' +
      '2026-11-16 --market gb --max-rejected 0 --json --data-dir /d',
  )
  assert.deepEqual(command, {
    source: 's3://b/landing/rows/',
    model: 'm',
    to: { kind: 'postgres', slot: 'weekly/gb' },
    rejects: 'r.jsonl',
    asOf: Date.UTC(2026, 10, 16),
    market: 'gb',
    maxRejectedShare: 0,
    isJson: true,
    dataDir: '/d',
  })
  const usual = score('s3://b/landing/rows/ --model m --to postgres --slot s')
  assert.equal(usual !== 'help' && usual.rejects, 'rows.rejects.jsonl')
})

test('parseScore - what is missing, unknown or wrong is named, with the help', () => {
  const cases: [string, RegExp][] = [
    ['', /SOURCE is missing\n\nnpm run score/],
    ['a b --model m --to x.csv', /one SOURCE, not also b/],
    ['a --to x.csv', /--model is missing/],
    ['a --model m', /--to is missing/],
    ['a --model m --to x.txt', /x\.txt is no target: .*\.parquet/],
    ['a --model m --to postgres', /--slot is missing/],
    ['a --model m --to x.csv --slot s', /--slot goes with --to postgres/],
    ['a --model m --to x.csv --max-rejected 5', /a share from 0 to 1, not 5/],
    ['a --model m --to x.csv --as-of monday', /--as-of is "monday"/],
    ['a --model m --to x.csv --fast', /Unknown option '--fast'/],
  ]
  for (const [line, message] of cases) {
    assert.throws(
      () => score(line),
      (error) => error instanceof UsageError && message.test(error.message),
      line,
    )
  }
  assert.equal(score('--help'), 'help')
})

test('parsePublish - one batch', () => {
  assert.deepEqual(parsePublish(['b1', '--json']), {
    batchId: 'b1',
    isJson: true,
    dataDir: undefined,
  })
  assert.throws(() => parsePublish([]), /BATCH is missing/)
  assert.throws(() => parsePublish(['a', 'b']), /not also b/)
})
