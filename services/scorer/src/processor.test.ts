// Does every vector get the score of its market's champion, and the challenger only watch?
import { DecodeProblem, Decoder, Encoder, schemaText, typeOf } from '@churnstream/schemas'
import type { VectorView } from '@churnstream/schemas/model'
import { TransientError, type Outcome } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Guard } from './core/guard.ts'
import { ShadowSums } from './core/shadow.ts'
import { RunFailed } from './engine.ts'
import type { Challenger, Champion, Routing } from './models.ts'
import { createScoreProcessor } from './processor.ts'
import { log, versionOf } from './testing.ts'

const encoder = new Encoder('churn-score', 1)
const decoder = new Decoder('churn-score')
decoder.learn(1, typeOf(schemaText('churn-score')))

const vector = (playerId: string, market: string | null) =>
  ({
    playerId,
    market,
    asOf: 1,
    trigger: 'activity',
    causeEventId: `${playerId}-1`,
    causeTopic: 'player-activity',
    causePartition: 0,
    causeOffset: 1,
  }) as VectorView
const received = (...vectors: VectorView[]) =>
  vectors.map((value, index) => ({
    offset: BigInt(index),
    timestampMs: 1,
    key: null,
    value,
  }))

const settings = {
  windowMs: 1e13,
  maxErrorShare: 0.01,
  maxMicrosecondsPerRow: 100,
  maxScoreShift: 0.5,
  minRows: 4,
}

function open(
  champions: Record<string, Partial<Champion>>,
  challengers: Record<string, Partial<Challenger>> = {},
  shadow = { sample: 1, waitMs: 1_000, pendingRows: 0 },
) {
  const breaches: string[] = []
  const routing = {
    champions: { prefix: 'churn-', byName: new Map(Object.entries(champions)) },
    challengers: { prefix: 'churn-', byName: new Map(Object.entries(challengers)) },
  } as unknown as Routing
  const processor = createScoreProcessor({
    models: {
      withCurrent: (use) => use(routing),
      caughtUp: async () => undefined,
      breached: (_champion, { reason }) => void breaches.push(reason),
    },
    encoders: { scores: encoder, shadows: encoder },
    shadowEngine: { pendingRows: shadow.pendingRows },
    shadow,
    log,
    onScored: () => undefined,
  })
  return { processor, breaches }
}

function written(outcomes: readonly Outcome[], topic: string) {
  return outcomes.flatMap((outcome) => {
    if (outcome.kind !== 'emit') return []
    return outcome.records.flatMap((record) => {
      if (record.topic !== topic) return []
      const score = decoder.decode(record.value)
      assert.ok(!(score instanceof DecodeProblem))
      return [score]
    })
  })
}

test('createScoreProcessor - each vector by its market’s model, in the order they came', async () => {
  const { processor } = open({
    'churn-default': { version: versionOf('churn-default', '1', () => 0.25), epoch: 3 },
    'churn-us-nj': { version: versionOf('churn-us-nj', '9', () => 0.75), epoch: 8 },
  })
  const players = received(
    vector('ada', 'us-nj'),
    vector('bob', 'gb'),
    vector('cyd', null),
    vector('dee', 'us-nj'),
  )
  const scores = written(await processor.process(0, players), topics.churnScores.name)
  assert.deepEqual(
    scores.map(({ playerId, score, modelName, modelVersion, modelEpoch }) =>
      [playerId, score, modelName, modelVersion, modelEpoch].join(' '),
    ),
    [
      'ada 0.75 churn-us-nj 9 8',
      'bob 0.25 churn-default 1 3',
      'cyd 0.25 churn-default 1 3',
      'dee 0.75 churn-us-nj 9 8',
    ],
  )
})

test('createScoreProcessor - a challenger scores the same vectors to shadow-scores, and is summed up', async () => {
  const sums = new ShadowSums()
  const { processor } = open(
    { 'churn-default': { version: versionOf('churn-default', '1', () => 0.25), epoch: 3 } },
    { 'churn-default': { version: versionOf('churn-default', '2', () => 0.5), epoch: 4, sums } },
  )
  const outcomes = await processor.process(0, received(vector('ada', 'gb'), vector('bob', 'gb')))
  const shadows = written(outcomes, topics.shadowScores.name)
  assert.deepEqual(
    shadows.map(({ playerId, score, modelVersion }) => `${playerId} ${score} ${modelVersion}`),
    ['ada 0.5 2', 'bob 0.5 2'],
  )
  assert.equal(written(outcomes, topics.churnScores.name).length, 2)
  assert.deepEqual([sums.rows, sums.sumDifference, sums.sameBand], [2, 0.5, 0])
  assert.deepEqual([sums.championMicroseconds, sums.shadowMicroseconds], [2, 2])
})

test('createScoreProcessor - a challenger that fails, is late or has too much to do costs no score', async () => {
  const champions = { 'churn-default': { version: versionOf('churn-default', '1'), epoch: 3 } }
  const failing = versionOf('churn-default', '2', () => {
    throw new RunFailed('it breaks')
  })
  const never = { ...failing, score: () => new Promise<never>(() => undefined) }
  const busy = versionOf('churn-default', '2')
  for (const [version, pendingRows] of [
    [failing, 0],
    [never, 0],
    [busy, 1e6],
  ] as const) {
    const sums = new ShadowSums()
    const { processor } = open(
      champions,
      { 'churn-default': { version, epoch: 4, sums } },
      { sample: 1, waitMs: 1, pendingRows },
    )
    const outcomes = await processor.process(0, received(vector('ada', 'gb')))
    assert.equal(written(outcomes, topics.churnScores.name).length, 1)
    assert.equal(written(outcomes, topics.shadowScores.name).length, 0)
    assert.deepEqual([sums.rows, sums.skippedRows], [0, 1])
  }
})

test('createScoreProcessor - a score that is no number is set aside, not sent on', async () => {
  const { processor } = open({
    'churn-default': { version: versionOf('churn-default', '1', () => NaN), epoch: 1 },
  })
  const [outcome] = await processor.process(0, received(vector('ada', 'gb')))
  assert.equal(outcome?.kind, 'dead-letter')
  assert.equal(outcome?.kind === 'dead-letter' && outcome.reason, 'score-not-a-number')
})

test('createScoreProcessor - a fresh champion that fails is reported, and the batch comes again', async () => {
  const before = versionOf('churn-default', '1')
  const version = versionOf('churn-default', '2', () => {
    throw new RunFailed('it breaks')
  })
  const watch = { guard: new Guard(settings, 0), before }
  const { processor, breaches } = open({ 'churn-default': { version, epoch: 2, watch } })
  for (let attempt = 0; attempt < 3; attempt++) {
    await assert.rejects(
      async () => processor.process(0, received(vector('ada', 'gb'))),
      TransientError,
    )
  }
  assert.deepEqual(breaches, ['guard-errors'])
})

test('createScoreProcessor - a fresh champion whose scores moved is reported and goes on scoring', async () => {
  const before = versionOf('churn-default', '1', () => 0.1)
  const version = versionOf('churn-default', '2', () => 0.95)
  const watch = { guard: new Guard(settings, 0), before }
  const { processor, breaches } = open({ 'churn-default': { version, epoch: 2, watch } })
  const players = received(...Array.from({ length: 10 }, (_, i) => vector(`p${i}`, 'gb')))
  const scores = written(await processor.process(0, players), topics.churnScores.name)
  assert.equal(scores.length, 10)
  assert.deepEqual(breaches, ['guard-scores'])
})
