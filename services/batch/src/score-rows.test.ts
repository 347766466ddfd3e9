// Does a row of a file give the bits that its vector gives in the stream, and is no row lost?
import {
  DecodeProblem,
  Encoder,
  catalogue,
  schemaText,
  typeOf,
  type FeatureVector,
} from '@churnstream/schemas'
import { Projection, VectorDecoder, type Column, type VectorView } from '@churnstream/schemas/model'
import { createRandom } from '@churnstream/simulator'
import { ParquetWriter, fileWriter } from 'hyparquet-writer'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPinnedVectorModel } from './model.ts'
import {
  modelFolder,
  nowhere,
  recordingModel,
  scoreFile,
  scratchOf,
  toColumns,
  usualSettings,
  write,
} from './testing.ts'

const levels: Record<string, readonly string[]> = {
  market: ['gb', 'us-nj', 'au-nsw'],
  acquisition_source: ['paid', 'organic'],
  first_product: ['sport', 'casino'],
}
type Random = ReturnType<typeof createRandom>
const pick = <T>(random: Random, from: readonly T[]): T =>
  from[Math.floor(random.uniform() * from.length)] as T

/** Magnitudes from the smallest float32 to the largest, signs, zeros and nothing. */
function valueOf(random: Random): number | null {
  const kind = random.uniform()
  if (kind < 0.15) return null
  if (kind < 0.25) return pick(random, [0, -0, 1, 0.1, 1e-45, 1e-40, 3.4e38, 16_777_217])
  return (random.uniform() - 0.3) * 10 ** Math.floor(random.uniform() * 60 - 25)
}

function vectorOf(random: Random, number: number): FeatureVector {
  const features = catalogue.map(({ name, type }) => {
    if (type === 'double') return [name, valueOf(random)]
    const isKnown = random.uniform() < 0.7
    return [name, isKnown ? pick(random, levels[name] ?? []) : pick(random, [null, 'elsewhere'])]
  })
  return {
    ...Object.fromEntries(features),
    playerId: `p-${number}`,
    asOf: 1_763_000_000_000 + number,
    trigger: 'activity',
    causeEventId: 'e',
    causeTopic: 'activity',
    causePartition: 0,
    causeOffset: number,
  } as FeatureVector
}

function columnsOf(random: Random): Column[] {
  const columns: Column[] = []
  for (const { name, type } of catalogue) {
    const known = levels[name] ?? []
    if (type === 'double') {
      if (random.uniform() < 0.7) columns.push({ name })
    } else if (random.uniform() < 0.4) columns.push({ name, levels: known.toReversed() })
    else for (const level of known) columns.push({ name: `${name}_${level}` })
  }
  return columns.toSorted(() => random.uniform() - 0.5)
}

function viewsOf(vectors: readonly FeatureVector[]): VectorView[] {
  const encoder = new Encoder('feature-vector', 1)
  const decoder = new VectorDecoder()
  decoder.learn(1, typeOf(schemaText('feature-vector')))
  return vectors.map((vector) => {
    const view = decoder.decode(encoder.encode(vector))
    assert.ok(!(view instanceof DecodeProblem))
    return view
  })
}

const names = catalogue.map(({ name }) => name)
const cellOf = (vector: FeatureVector, name: string) =>
  vector[name as keyof FeatureVector] as string | number | null

/** Its own number texts: JSON.stringify loses the sign of zero. */
const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))
const jsonText = (value: string | number | null): string =>
  typeof value === 'number' ? numberText(value) : JSON.stringify(value)

function writeAll(folder: string, vectors: readonly FeatureVector[]): string[] {
  const csv = vectors.map((vector) =>
    names.map((name) => {
      const cell = cellOf(vector, name)
      return typeof cell === 'number' ? numberText(cell) : (cell ?? '')
    }),
  )
  const records = vectors.map(
    (vector) =>
      `{${names.map((name) => `${JSON.stringify(name)}:${jsonText(cellOf(vector, name))}`).join()}}`,
  )
  const parquet = join(folder, 'v.parquet')
  const writer = new ParquetWriter({
    writer: fileWriter(parquet),
    schema: [
      { name: 'root', num_children: names.length },
      ...catalogue.map(({ name, type }) => ({
        name,
        repetition_type: 'OPTIONAL' as const,
        ...(type === 'double'
          ? { type: 'DOUBLE' as const }
          : { type: 'BYTE_ARRAY' as const, converted_type: 'UTF8' as const }),
      })),
    ],
  })
  void writer.write({
    columnData: names.map((name) => ({
      name,
      data: vectors.map((vector) => cellOf(vector, name)),
    })),
    rowGroupSize: 37,
  })
  void writer.finish()
  return [
    write(folder, 'v.csv', [names, ...csv].map((row) => row.join()).join('\n')),
    write(folder, 'v.jsonl', records.join('\n')),
    write(folder, 'v.json', `[${records.join()}]`),
    parquet,
  ]
}

test('scoreRows - every vector gives the same bits from the stream and from every kind of file', async (t) => {
  const random = createRandom(20_261_116)
  for (let round = 0; round < 12; round++) {
    const columns = columnsOf(random)
    const vectors = Array.from({ length: 100 }, (_, number) => vectorOf(random, number))
    const projection = Projection.of(columns)
    assert.ok(projection instanceof Projection)
    const expected = projection.rows(viewsOf(vectors))
    for (const file of writeAll(scratchOf(t), vectors)) {
      const { model, cells } = recordingModel(columns)
      const { rejects } = await scoreFile(file, model)
      // The recording model answers with the first cell, which may be nothing.
      assert.ok(rejects.every(({ reason }) => reason === 'score-not-a-number'))
      const got = cells()
      assert.equal(got.length, expected.length)
      const differs = got.findIndex((value, index) => !Object.is(value, expected[index]))
      const column = columns[differs % columns.length]?.name
      assert.equal(differs, -1, `${file}, ${column}: ${got[differs]} and ${expected[differs]}`)
    }
  }
})

test('scoreRows - the scores are those of the vectors to the bit, whatever is scored together', async (t) => {
  await using model = await openPinnedVectorModel(modelFolder, nowhere())
  const random = createRandom(7)
  const vectors = Array.from({ length: 9_000 }, (_, number) => vectorOf(random, number))
  const views = viewsOf(vectors)
  const together = await model.scoreVectors(views)
  for (const size of [1, 255, 256, 257]) {
    const alone = await model.scoreVectors(views.slice(0, size))
    assert.deepEqual(alone, together.slice(0, size))
  }
  for (const file of writeAll(scratchOf(t), vectors)) {
    const { scores, rejects } = await scoreFile(file, model)
    assert.deepEqual(rejects, [])
    const differs = scores.findIndex(({ score }, index) => !Object.is(score, together[index]))
    assert.equal(differs, -1, file)
  }
})

const one = toColumns(['bets_7d'])

test('scoreRows - every row is a score or a reject, with its number and what it held', async (t) => {
  const rows = [
    'a,2026-11-16,1',
    'b,2026-11-16,x',
    'a,2026-11-16,3',
    'a,2026-11-17,4',
    ',,5',
    'c,nope,6',
  ]
  const file = write(scratchOf(t), 'x.csv', `player_id,as_of,bets_7d\n${rows.join('\n')}\n`)
  const { model } = recordingModel(one)
  const { rowsIn, scores, rejects } = await scoreFile(file, model)
  assert.equal(rowsIn, 6)
  assert.deepEqual(
    scores.map(({ row }) => row),
    [0, 3, 4],
  )
  assert.deepEqual(rejects, [
    {
      source: file,
      row: 1,
      reason: 'not-a-number',
      detail: 'bets_7d is "x": the model takes a number',
      values: { player_id: 'b', as_of: '2026-11-16', bets_7d: 'x' },
    },
    {
      source: file,
      row: 2,
      reason: 'duplicate-key',
      detail: 'a as of 2026-11-16T00:00:00.000Z stands before',
      values: { player_id: 'a', as_of: '2026-11-16', bets_7d: '3' },
    },
    {
      source: file,
      row: 5,
      reason: 'bad-as-of',
      detail:
        'as_of is "nope": it is milliseconds since 1970, or like 2026-11-16 or 2026-11-16T06:00:00Z',
      values: { player_id: 'c', as_of: 'nope', bets_7d: '6' },
    },
  ])
})

test('scoreRows - where keys are needed, a row without one is a reject', async (t) => {
  const lines = ['{"bets_7d":1,"player_id":"a"}', '{"bets_7d":2}', '{"bets_7d":3,"player_id":"b"}']
  const file = write(scratchOf(t), 'x.jsonl', lines.join('\n'))
  const { model } = recordingModel(one)
  const without = await scoreFile(file, model, { ...usualSettings, needsKeys: true })
  assert.deepEqual(
    without.rejects.map(({ reason }) => reason),
    ['missing-as-of', 'missing-player', 'missing-as-of'],
  )
  const asOf = Date.UTC(2026, 10, 16)
  const given = await scoreFile(file, model, { asOf, market: 'gb', needsKeys: true })
  assert.deepEqual(
    given.scores.map((score) => [score.playerId, score.asOf, score.market]),
    [
      ['a', asOf, 'gb'],
      ['b', asOf, 'gb'],
    ],
  )
})

test('scoreRows - a market for all rows fills the one-hot columns too', async (t) => {
  const file = write(scratchOf(t), 'x.jsonl', '{"bets_7d":1}\n{"bets_7d":2,"market":"us-nj"}\n')
  const { model, cells } = recordingModel(toColumns(['bets_7d', 'market_gb', 'market_us-nj']))
  await scoreFile(file, model, { ...usualSettings, market: 'gb' })
  assert.deepEqual(cells(), [1, 1, 0, 2, 0, 1])
})

test('scoreRows - a score that is no number is a reject', async (t) => {
  const file = write(scratchOf(t), 'x.jsonl', '{"bets_7d":1}\n{"bets_7d":null}\n')
  const { model } = recordingModel(one)
  const { rowsIn, scores, rejects } = await scoreFile(file, model)
  assert.deepEqual([rowsIn, scores.length], [2, 1])
  assert.deepEqual(
    rejects.map(({ row, reason, values }) => [row, reason, values]),
    [[1, 'score-not-a-number', { bets_7d: null }]],
  )
})
