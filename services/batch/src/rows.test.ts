// Do the readers give the rows of a file, and say what is wrong with the others?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { FatalError } from '@churnstream/runtime'
import {
  modelColumns,
  openFile,
  recordingModel,
  rowFile,
  scoreFile,
  scratchOf,
  toColumns,
  write,
} from './testing.ts'

const pair = ['bets_7d', 'stake_7d']
const two = () => recordingModel(toColumns(pair))

test('openRows - whatever pandas writes, the model gets the same rows in the same order', async () => {
  const shapes = [
    'columns.json',
    'records.json',
    'split.json',
    'index.json',
    'table.json',
    'values.json',
    'lists.json',
    'lines.jsonl.gz',
    'index.csv',
    'model.csv.gz',
    'features.parquet',
    'model.parquet',
  ]
  const columns = toColumns(modelColumns)
  let first: number[] | undefined
  for (const shape of shapes) {
    const { model, cells } = recordingModel(columns)
    const { rowsIn, rejects } = await scoreFile(rowFile(shape), model)
    assert.deepEqual([rowsIn, rejects], [7, []], shape)
    first ??= cells()
    assert.deepEqual(cells(), first, shape)
  }
  assert.equal(first?.length, 7 * modelColumns.length)
  assert.ok(first?.some(Number.isNaN))
})

test('openRows - player, as_of and market are taken along from every kind of file', async () => {
  for (const shape of ['columns.json', 'lines.jsonl.gz', 'index.csv', 'features.parquet']) {
    const { model } = recordingModel(toColumns(['bets_7d']))
    const { scores } = await scoreFile(rowFile(shape), model)
    const [, , third, fourth] = scores
    assert.deepEqual(
      [third?.playerId, third?.asOf, third?.market, third?.row, third?.score],
      ['p-2', 1_794_787_202_000, null, 2, 2],
      shape,
    )
    assert.equal(fourth?.market, 'au-vic', shape)
  }
})

test('openRows - a CSV with quotes, a byte order mark and carriage returns', async (t) => {
  const text = '\ufeffplayer_id,"bets_7d",stake_7d\r\n"a ""b"", c",1,2\r\n\r\n"d\r\ne",3,4'
  const file = write(scratchOf(t), 'x.csv', text)
  const { model, cells } = two()
  const { scores, rejects } = await scoreFile(file, model)
  assert.deepEqual(
    scores.map(({ playerId, row }) => [playerId, row]),
    [['a "b", c', 0]],
  )
  // A line break is a control character, so that player can't be one.
  assert.deepEqual(
    rejects.map(({ reason, row }) => [reason, row]),
    [['bad-player-id', 1]],
  )
  assert.deepEqual(cells(), [1, 2])
})

test('openRows - rows of other widths and broken quotes are set aside, and their neighbours are not', async (t) => {
  const rows = ['1,2', '1', '3,4', '1,2,3', '"5"x","6"', '7,8']
  const file = write(scratchOf(t), 'x.csv', `bets_7d,stake_7d\n${rows.join('\n')}\n`)
  const { model, cells } = two()
  const { rowsIn, rejects } = await scoreFile(file, model)
  assert.equal(rowsIn, 6)
  assert.deepEqual(
    rejects.map(({ row, reason }) => [row, reason]),
    [
      [1, 'wrong-number-of-fields'],
      [3, 'wrong-number-of-fields'],
      [4, 'unreadable-line'],
    ],
  )
  assert.deepEqual(rejects[0]?.values, ['1'])
  assert.deepEqual(cells(), [1, 2, 3, 4, 7, 8])
})

test('openRows - a CSV of many chunks has each row once', async (t) => {
  const count = 120_000
  const lines = Array.from({ length: count }, (_, n) => `${n},"${n % 97}"`)
  const file = write(scratchOf(t), 'x.csv.gz', gzipSync(`bets_7d,stake_7d\n${lines.join('\n')}\n`))
  const { model } = two()
  const { rowsIn, scores, rejects } = await scoreFile(file, model)
  assert.deepEqual([rowsIn, scores.length, rejects.length], [count, count, 0])
  assert.ok(scores.every(({ score, row }, index) => row === index && score === index))
})

test('openRows - JSON lines: a bad line is set aside, and a column may come late', async (t) => {
  const lines = Array.from({ length: 9_000 }, (_, n) => `{"bets_7d":${n}}`)
  lines[3] = '{"bets_7d": 3'
  lines[4] = ''
  lines[5] = '[1]'
  lines[6] = '12'
  lines[8_999] = '{"bets_7d":1,"stake_7d":2}'
  const file = write(scratchOf(t), 'x.jsonl', lines.join('\r\n'))
  const { model, cells } = two()
  const { rowsIn, rejects } = await scoreFile(file, model)
  assert.equal(rowsIn, 8_999)
  assert.deepEqual(
    rejects.map(({ row, reason }) => [row, reason]),
    [
      [3, 'unreadable-line'],
      [4, 'wrong-number-of-fields'],
      [5, 'unreadable-line'],
    ],
  )
  assert.equal(rejects[0]?.values, '{"bets_7d": 3\r')
  assert.deepEqual(cells().slice(-4), [8_998, NaN, 1, 2])
})

test('openRows - JSON lines under the name .json are read as lines', async (t) => {
  const file = write(scratchOf(t), 'x.json', '\n{"bets_7d":1,"stake_7d":2}\n{"bets_7d":3}\n')
  const { model, cells } = two()
  await scoreFile(file, model)
  assert.deepEqual(cells(), [1, 2, 3, NaN])
})

test('openRows - what is wrong with a whole file is said, with what to do', async (t) => {
  const folder = scratchOf(t)
  const half = gzipSync('bets_7d,stake_7d\n1,2\n').subarray(0, 20)
  const cases: [string, string | Uint8Array, RegExp][] = [
    ['a.csv', '', /has no rows/],
    ['b.csv', 'bets_7d,stake_7d\n', /has no rows/],
    ['c.csv', 'bets_7d,bets_7d\n1,2\n', /names columns twice: bets_7d/],
    ['d.csv', 'bets_7d;stake_7d\n1;2\n', /not separated by commas/],
    ['e.csv', 'bets_7d,stake_7d\n1,"2\n3,4\n', /a quote that row 0 opens is not closed/],
    ['f.csv', Buffer.from([0xff, 0xfe, 0x61, 0]), /UTF-16: save it as UTF-8/],
    ['g.csv', Buffer.from('a,b\nM\xfcller,1\n', 'latin1'), /is no UTF-8/],
    ['h.csv', gzipSync('a,b\n1,2\n'), /is gzipped: name it/],
    ['i.csv.gz', 'a,b\n1,2\n', /named \.gz and is no gzip/],
    ['j.csv.gz', half, /no whole gzip/],
    ['k.csv', 'PAR1….', /is Parquet/],
    ['l.parquet', 'a,b\n1,2\n', /is no Parquet file/],
    ['m.parquet', 'PAR1 and no more', /can't be read as Parquet/],
    ['n.json', '{"a":', /is no JSON/],
    ['o.json', '[]', /has no rows/],
    ['p.json', '[[1,2,3]]', /has 3 columns without names, the model 2/],
    ['q.jsonl', '\n\n', /has no rows/],
    ['r.jsonl', 'a,b\n1,2\n', /no line is an object/],
    [
      's.json',
      `[${' '.repeat(70_000_000)}1]`,
      /more than 64 million characters.*JSON lines.*Parquet/,
    ],
    ['t.csv', `bets_7d,stake_7d\n1,"${'x,'.repeat(12_000_000)}\n`, /row 0 does not end within/],
  ]
  for (const [name, content, message] of cases) {
    const file = write(folder, name, content)
    await assert.rejects(
      openFile(file, pair),
      (error: Error) => {
        assert.ok(error instanceof FatalError, `${name}: ${error.stack}`)
        assert.match(error.message, message, name)
        assert.ok(error.message.includes(name))
        return true
      },
      name,
    )
  }
})

test('openRows - a quote that takes lines with it ends the file, for they could not be told apart', async (t) => {
  const file = write(scratchOf(t), 'x.csv', 'bets_7d,stake_7d\n1,2\n"3"x,4\n5,"6"\n')
  const { model } = two()
  await assert.rejects(scoreFile(file, model), /a quote in row 1 goes wrong/)
})

test('openRows - a gzip that ends too soon is noticed, however late', async (t) => {
  const lines = Array.from({ length: 200_000 }, (_, n) => `${n},${(n * 7919) % 1009}`)
  const whole = gzipSync(`bets_7d,stake_7d\n${lines.join('\n')}\n`)
  const file = write(scratchOf(t), 'x.csv.gz', whole.subarray(0, whole.length - 9))
  const { model } = two()
  await assert.rejects(scoreFile(file, model), /no whole gzip: unexpected end of file/)
})
