// Is a source scored as a whole or not at all?
import { FatalError, TransientError } from '@churnstream/runtime'
import { ModelRefused } from '@churnstream/scorer'
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { readScores } from './read-parquet.ts'
import { scoreSource, type ScoreOptions } from './score.ts'
import { modelFolder, nowhere, rowFile, scratchOf, write } from './testing.ts'

function optionsOf(folder: string, change: Partial<ScoreOptions> = {}): ScoreOptions {
  return {
    source: rowFile('index.csv'),
    model: modelFolder,
    to: { kind: 'file', target: join(folder, 'scores.jsonl') },
    rejects: join(folder, 'rejects.jsonl'),
    asOf: undefined,
    market: undefined,
    maxRejectedShare: 0.05,
    installation: nowhere(),
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...change,
  }
}

const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

function badRows(context: TestContext): string {
  const header = readFileSync(rowFile('index.csv'), 'utf8').split('\n')[0] as string
  const good = readFileSync(rowFile('index.csv'), 'utf8').trim().split('\n').slice(1)
  const bad = good.slice(0, 3).map((line) => line.replace(/,\d{13},/, ',soon,'))
  return write(scratchOf(context), 'bad.csv', [header, ...good.slice(3), ...bad].join('\n'))
}

test('scoreSource - the summary counts what the files hold', async (t) => {
  const folder = scratchOf(t)
  const said: string[] = []
  const options = optionsOf(folder, {
    source: badRows(t),
    maxRejectedShare: 0.5,
    onProgress: (line) => void said.push(line),
  })
  const summary = await scoreSource(options)
  const { rowsIn, scored, rejected, rejects, score, model } = summary
  assert.deepEqual([rowsIn, scored, rejected, rejects], [7, 4, 3, { 'bad-as-of': 3 }])
  assert.equal(score.histogram.length, 20)
  assert.equal(
    score.histogram.reduce((sum, count) => sum + count, 0),
    4,
  )
  assert.equal(model.name, 'model')
  assert.match(model.version, /^[0-9a-f]{12}$/)
  const scores = linesOf(join(folder, 'scores.jsonl'))
  assert.deepEqual(
    scores.map(({ row }) => row),
    [0, 1, 2, 3],
  )
  assert.deepEqual(Object.keys(scores[0] ?? {}), [
    'player_id',
    'as_of',
    'market',
    'score',
    'band',
    'model_name',
    'model_version',
    'source',
    'row',
  ])
  const mean = scores.reduce((sum, { score }) => sum + Number(score), 0) / scores.length
  assert.ok(Math.abs(mean - score.mean) < 1e-12)
  assert.equal(linesOf(join(folder, 'rejects.jsonl')).length, 3)
  assert.deepEqual(readdirSync(folder).sort(), ['rejects.jsonl', 'scores.jsonl'])
})

test('scoreSource - too many rejects keep nothing but the rejects', async (t) => {
  const folder = scratchOf(t)
  const options = optionsOf(folder, { source: badRows(t) })
  writeFileSync(join(folder, 'scores.jsonl'), 'of last week')
  await assert.rejects(scoreSource(options), (error: Error) => {
    assert.ok(error instanceof FatalError)
    assert.match(error.message, /3 of 7 rows can't be scored, more than 5 %.*3 bad-as-of.*rejects/)
    return true
  })
  assert.equal(readFileSync(join(folder, 'scores.jsonl'), 'utf8'), 'of last week')
  assert.deepEqual(readdirSync(folder).sort(), ['rejects.jsonl', 'scores.jsonl'])
})

test('scoreSource - the same input gives the same bytes in every kind of target', async (t) => {
  const folder = scratchOf(t)
  for (const name of ['s.parquet', 's.csv', 's.csv.gz', 's.jsonl.gz']) {
    const to = { kind: 'file', target: join(folder, name) } as const
    const [first, second] = [
      await scoreSource(optionsOf(folder, { to })),
      await scoreSource(optionsOf(folder, { to })),
    ]
    assert.equal(first.outputSha256, second.outputSha256, name)
    assert.equal(first.batchId, second.batchId)
  }
  await scoreSource(optionsOf(folder))
  const lines = linesOf(join(folder, 'scores.jsonl'))
  const unpacked = gunzipSync(readFileSync(join(folder, 's.jsonl.gz'))).toString()
  assert.equal(unpacked, readFileSync(join(folder, 'scores.jsonl'), 'utf8'))
  const rows = []
  for await (const part of readScores(join(folder, 's.parquet'))) rows.push(...part)
  assert.deepEqual(
    rows.map(({ playerId, asOf, market, score, row }) => ({
      player_id: playerId,
      as_of: new Date(asOf as number).toISOString(),
      market,
      score,
      row,
    })),
    lines.map(({ player_id, as_of, market, score, row }) => ({
      player_id,
      as_of,
      market,
      score,
      row,
    })),
  )
})

test('scoreSource - a folder is all its files in order, but for those that are not finished', async (t) => {
  const [folder, source] = [scratchOf(t), scratchOf(t)]
  cpSync(rowFile('model.parquet'), join(source, 'b.parquet'))
  cpSync(rowFile('values.json'), join(source, 'a.json'))
  for (const name of ['_SUCCESS', '.hidden.csv', 'c.csv.tmp', 'd.csv.part'])
    write(source, name, 'x')
  const summary = await scoreSource(optionsOf(folder, { source }))
  assert.equal(summary.rowsIn, 14)
  assert.deepEqual(
    linesOf(join(folder, 'scores.jsonl')).map(({ source, row }) => [source, row]),
    ['a.json', 'b.parquet'].flatMap((name) =>
      [0, 1, 2, 3, 4, 5, 6].map((row) => [`${source}/${name}`, row]),
    ),
  )
})

test('scoreSource - everything that is wrong with all files is said at once, before a row is scored', async (t) => {
  const [folder, source] = [scratchOf(t), scratchOf(t)]
  write(source, 'a.csv', 'bets_7d\n1\n')
  write(source, 'b.csv', '')
  write(source, 'c.json', '{')
  await assert.rejects(scoreSource(optionsOf(folder, { source })), (error: Error) => {
    assert.ok(error instanceof FatalError)
    const [a, b, c] = error.message.split('\n')
    assert.match(a ?? '', /a\.csv lacks the columns days_since_last_bet, .*market_gb \(or market\)/)
    assert.match(b ?? '', /b\.csv has no rows/)
    assert.match(c ?? '', /c\.json is no JSON/)
    return true
  })
  write(source, 'notes.txt', '')
  await assert.rejects(scoreSource(optionsOf(folder, { source })), /notes\.txt is none of \.csv/)
  assert.deepEqual(readdirSync(folder), [])
})

test('scoreSource - a model that fails a gate scores nothing', async (t) => {
  const [folder, model] = [scratchOf(t), scratchOf(t)]
  cpSync(modelFolder, model, { recursive: true })
  const golden = JSON.parse(readFileSync(join(model, 'golden.json'), 'utf8')) as {
    probabilities: number[]
  }
  golden.probabilities[0] = 0.999
  writeFileSync(join(model, 'golden.json'), JSON.stringify(golden))
  await assert.rejects(scoreSource(optionsOf(folder, { model })), (error: Error) => {
    assert.ok(error instanceof ModelRefused)
    assert.match(error.message, /is refused: golden-differs: the golden rows differ by/)
    return true
  })
  rmSync(join(model, 'model.onnx'))
  await assert.rejects(scoreSource(optionsOf(folder, { model })), /file-missing: .*no model\.onnx/)
  assert.equal(existsSync(join(folder, 'scores.jsonl')), false)
})

test('scoreSource - a file that changes while it is read is trouble of the world', async (t) => {
  const [folder, source] = [scratchOf(t), scratchOf(t)]
  const file = join(source, 'x.csv')
  cpSync(rowFile('index.csv'), file)
  const onProgress = (line: string): void => {
    if (line.startsWith('not used')) writeFileSync(file, 'another')
  }
  const header = readFileSync(file, 'utf8').replace(',player_id,', ',player,')
  writeFileSync(file, header)
  await assert.rejects(scoreSource(optionsOf(folder, { source, onProgress })), TransientError)
  assert.deepEqual(readdirSync(folder), [])
})

test('scoreSource - stopped in the middle it leaves nothing', async (t) => {
  const folder = scratchOf(t)
  const stopping = new AbortController()
  const onProgress = (): void => stopping.abort(new TransientError('stopped'))
  await assert.rejects(
    scoreSource(optionsOf(folder, { onProgress, signal: stopping.signal })),
    /stopped/,
  )
  assert.deepEqual(readdirSync(folder), [])
})
