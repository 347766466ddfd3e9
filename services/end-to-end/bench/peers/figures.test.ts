import assert from 'node:assert/strict'
import { test } from 'node:test'
import { percentile, toFigure, toTable, windowOf, type RunResult, type Setting } from './figures.ts'

const setting: Setting = {
  task: 'S',
  contender: 'kafka-streams',
  guarantee: 'exactly-once',
  cores: 1,
  load: 'drain',
}

const runOf = (eventsPerSecond: number, cpuSeconds: number): RunResult => ({
  events: 1_000_000,
  seconds: 1_000_000 / eventsPerSecond,
  cpuSeconds: { scorer: cpuSeconds },
  peakRssMb: 100,
  latenciesMs: [],
})

const places = {
  scores: [
    [0n, 1n, 3n, 4n],
    [10n, 12n],
  ],
  vectors: [[0n, 1n, 2n, 3n, 4n, 5n]],
}
const sampleAt = (atMs: number, scores: bigint[], vectors: bigint, cpuSeconds: number[]) => ({
  atMs,
  ends: { scores, vectors: [vectors] },
  cpuSeconds: { scorer: cpuSeconds[0] as number, features: cpuSeconds[1] as number },
})
const samples = [
  sampleAt(0, [0n, 10n], 0n, [1, 1]),
  sampleAt(100, [0n, 10n], 3n, [2, 3]),
  sampleAt(200, [3n, 10n], 4n, [3, 4]),
  sampleAt(300, [3n, 13n], 6n, [4, 6]),
  sampleAt(400, [6n, 13n], 6n, [5, 7]),
  sampleAt(500, [7n, 13n], 6n, [9, 9]),
]
const scorer = { name: 'scorer', outTopic: 'scores' }
const features = { name: 'features', outTopic: 'vectors' }

test('windowOf - counts records, not the markers of transactions, from the warm-up to the last one', () => {
  assert.deepEqual(windowOf(samples, [scorer], places, 2), {
    events: 4,
    fromMs: 200,
    toMs: 400,
    cpuSeconds: { scorer: 2 },
  })
  assert.throws(() => windowOf(samples.slice(0, 4), [scorer], places, 2), /too few of 6/)
  assert.throws(() => windowOf(samples, [scorer], places, 6), /too few of 6/)
})

test('windowOf - goes from the first stage to the last, and asks of each what its own events cost', () => {
  assert.deepEqual(windowOf(samples, [features, scorer], places, 2), {
    events: 3,
    fromMs: 100,
    toMs: 400,
    cpuSeconds: { features: 3, scorer: 1.5 },
  })
})

test('percentile - is a value that was measured, and nothing of nothing', () => {
  const sorted = Array.from({ length: 1_000 }, (_, index) => index + 1)
  assert.deepEqual(
    [0.5, 0.99, 0.999, 1].map((share) => percentile(sorted, share)),
    [500, 990, 999, 1_000],
  )
  assert.equal(percentile([7], 0.001), 7)
  assert.equal(percentile([], 0.5), null)
})

test('toFigure - is the median of the runs, and of the ratios of each round', () => {
  const runs = [runOf(10_000, 30), runOf(40_000, 20), runOf(20_000, 25)]
  const own = [runOf(20_000, 10), runOf(40_000, 10), runOf(80_000, 10)]
  const figure = toFigure(setting, runs, own)
  assert.equal(figure.eventsPerSecond, 20_000)
  assert.deepEqual(figure.eventsPerSecondRange, [10_000, 40_000])
  assert.equal(figure.cpuSecondsPerMillion, 25)
  assert.deepEqual(figure.timesOurs, { eventsPerSecond: 0.5, cpu: 2.5 })
  assert.equal(figure.p99Ms, null)
  assert.equal(toFigure(setting, runs, undefined).timesOurs, null)
})

test('toTable - has a cell for each heading, the processes where there are several', () => {
  const runs = [
    { ...runOf(10_000, 30), cpuSeconds: { features: 20, scorer: 10 }, latenciesMs: [5, 9] },
  ]
  const [headings, , row] = toTable([toFigure(setting, runs, undefined)]).split('\n')
  assert.equal(row?.split('|').length, headings?.split('|').length)
  assert.match(row ?? '', /\| 10,000 +\| 10,000–10,000 +\| +\| 30 \(features 20, scorer 10\) /)
  assert.match(row ?? '', /\| 5 +\| 9 +\| 9 +\| 1 +\|$/)
})
