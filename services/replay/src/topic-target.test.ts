// Does each score of a replay stand in the topic once, whenever runs break, come again and meet?
import { TransientError, FatalError, type Kafka } from '@churnstream/runtime'
import { MemoryCluster, readAll } from '@churnstream/runtime/testing'
import { Oracle, histories } from '@churnstream/features/testing'
import { Encoder, clockKind, type PlayerActivity } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import type { Schemas } from '@churnstream/schemas'
import { backfillScores, clusterTopics } from '@churnstream/topology'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backfill, type Backfilled } from './backfill.ts'
import type { Plan } from './core/plan.ts'
import { openFileSource } from './file-source.ts'
import { activityId, hashingModel, scoreId, sendActivity } from './testing.ts'
import { checkTopic, noteTopic, openTopicSource } from './topic-source.ts'
import { beginInTopic, openTopicTarget, replayHeaders } from './topic-target.ts'

const seed = 20_260_303
const topic = backfillScores.name
const schemas = fixedSchemas({
  [activityId]: 'player-activity',
  [scoreId]: 'churn-score',
}) as Schemas
const encoder = new Encoder('churn-score', scoreId)
const dayMs = 86_400_000
const day0 = Date.UTC(2026, 0, 1)

const planOf = (id: string, rest: Partial<Plan> = {}) => ({
  id,
  fromAt: day0 + 45 * dayMs,
  toAt: day0 + 400 * dayMs,
  market: null,
  modelName: 'churn-default',
  modelVersion: '3',
  ...rest,
})

/** As a command does it, from the beginning. */
async function runOf(kafka: Kafka, id: string, rest: Partial<Plan> = {}): Promise<Backfilled> {
  const noted = await noteTopic(kafka)
  const begun = await beginInTopic(kafka, { ...planOf(id, rest), source: noted })
  assert.equal(begun.plan.source.kind, 'topic')
  if (begun.plan.source.kind !== 'topic') throw new Error('unreachable')
  await checkTopic(kafka, begun.plan.source)
  return backfill({
    plan: begun.plan,
    source: openTopicSource(kafka, schemas, begun.plan.source),
    model: hashingModel,
    target: openTopicTarget({ kafka, schemas, encoder, begun }),
    signal: new AbortController().signal,
    chunkVectors: 3,
    onProgress: () => undefined,
  })
}

/** Keys and values of a run by partition, without its markers; and how many of these there are. */
async function standing(kafka: Kafka, id: string) {
  const scores: string[][] = []
  let [begins, ends] = [0, 0]
  for (let partition = 0; partition < backfillScores.partitions; partition++) {
    const own = (await readAll(kafka, topic, partition)).filter(
      ({ headers }) => headers[replayHeaders.run]?.toString() === id,
    )
    begins += own.filter(({ headers }) => replayHeaders.begin in headers).length
    ends += own.filter(({ headers }) => replayHeaders.end in headers).length
    scores.push(
      own
        .filter(({ value }) => value !== null)
        .map(({ key, value }) => `${key?.toString()} ${value?.toString('hex')}`),
    )
  }
  return { scores, begins, ends }
}

async function clusterWith(inputs: readonly PlayerActivity[]): Promise<MemoryCluster> {
  const cluster = new MemoryCluster()
  await cluster.open().ensureTopics(clusterTopics())
  await sendActivity(cluster, inputs)
  return cluster
}

test('backfill - scores what the obvious code would give in the range, and nothing else', async () => {
  let seen = 0
  await fc.assert(
    fc.asyncProperty(histories(80), async (inputs) => {
      const cluster = await clusterWith(inputs)
      const { total } = await runOf(cluster.open(), 'a', { market: 'gb' })
      const oracle = new Oracle()
      const { fromAt, toAt } = planOf('a')
      const vectors = inputs
        .flatMap((input) => {
          const result =
            input.kind === clockKind ? oracle.onClock(input.occurredAt) : oracle.onActivity(input)
          return typeof result === 'string' ? [] : result.vectors
        })
        .filter(({ asOf, features }) => asOf >= fromAt && asOf < toAt && features.market === 'gb')
      assert.equal(total.vectors, vectors.length)
      seen += vectors.length
    }),
    { seed, numRuns: 30, endOnFailure: true },
  )
  assert.ok(seen > 200, String(seen))
})

const troubles = fc.array(
  fc.record({
    at: fc.constantFrom('before-commit' as const, 'after-commit' as const),
    commit: fc.integer({ min: 1, max: 25 }),
    more: fc.nat(3),
  }),
  { maxLength: 6 },
)

test('backfill - broken anywhere and started again, it gives what an unbroken one gives', async () => {
  let broken = 0
  await fc.assert(
    fc.asyncProperty(histories(90), troubles, async (inputs, breaks) => {
      const cluster = await clusterWith(inputs)
      const kafka = cluster.open()
      const whole = await runOf(kafka, 'whole')
      const goesOn = breaks.some(({ more }) => more > 0)
      if (goesOn) await beginInTopic(kafka, { ...planOf('broken'), source: await noteTopic(kafka) })
      for (const { at, commit, more } of breaks) {
        let left = commit
        cluster.failpoint = (point) => {
          if (point !== at || --left > 0) return
          cluster.failpoint = () => undefined
          throw new TransientError('the connection broke')
        }
        await runOf(kafka, 'broken').catch((error: unknown) => {
          assert.ok(error instanceof TransientError, String(error))
          broken++
        })
        cluster.failpoint = () => undefined
        // Activity goes on: the range was fixed when the replay was begun.
        await sendActivity(cluster, inputs.slice(0, more))
      }
      const after = await runOf(kafka, 'broken')
      assert.deepEqual(after.partitions, whole.partitions)
      assert.deepEqual(await standing(kafka, 'broken'), await standing(kafka, 'whole'))
    }),
    // A smaller example would take minutes to find.
    { seed, numRuns: 35, endOnFailure: true },
  )
  assert.ok(broken > 20, String(broken))
})

test('backfill - repeated it writes nothing and says the same, also when more has come', async () => {
  const inputs = manyInputs()
  const cluster = await clusterWith(inputs)
  const kafka = cluster.open()
  const first = await runOf(kafka, 'a')
  const ends = await kafka.endOffsets(topic)
  await sendActivity(
    cluster,
    inputs.slice(0, 50).map((one) => ({ ...one, eventId: `${one.eventId}x` })),
  )
  const again = await runOf(kafka, 'a')
  assert.deepEqual(again.partitions, first.partitions)
  assert.equal(again.foldedNow, 0)
  assert.deepEqual(await kafka.endOffsets(topic), ends)
  const { begins, ends: markers } = await standing(kafka, 'a')
  assert.deepEqual({ begins, markers }, { begins: 8, markers: 8 })
})

test('backfill - two at once under two ids give the same and do not disturb each other', async () => {
  const cluster = await clusterWith(manyInputs())
  const kafka = cluster.open()
  const [a, b] = await Promise.all([runOf(kafka, 'a'), runOf(cluster.open(), 'b')])
  assert.deepEqual(a.partitions, b.partitions)
  const { scores } = await standing(kafka, 'a')
  assert.deepEqual((await standing(kafka, 'b')).scores, scores)
  assert.ok(scores.flat().length > 100)
})

test('backfill - of two at once under one id the later takes over, and each score stands once', async () => {
  const cluster = await clusterWith(manyInputs())
  const kafka = cluster.open()
  const whole = await runOf(kafka, 'whole')
  const both = await Promise.allSettled([runOf(kafka, 'a'), runOf(cluster.open(), 'a')])
  for (const ended of both) {
    if (ended.status === 'rejected') assert.ok(ended.reason instanceof TransientError)
  }
  const last = await runOf(kafka, 'a')
  assert.deepEqual(last.partitions, whole.partitions)
  assert.deepEqual((await standing(kafka, 'a')).scores, (await standing(kafka, 'whole')).scores)
})

test('backfill - an id that was begun with other options is refused with the difference', async () => {
  const cluster = await clusterWith(manyInputs())
  const kafka = cluster.open()
  await runOf(kafka, 'a')
  await assert.rejects(runOf(kafka, 'a', { modelVersion: '4' }), /modelVersion was 3 and is 4/)
  await assert.rejects(runOf(kafka, 'a', { toAt: day0 + 60 * dayMs }), FatalError)
})

test('backfill - where retention took what a begun replay read, it is refused', async () => {
  const cluster = await clusterWith(manyInputs())
  const kafka = cluster.open()
  const noted = await noteTopic(kafka)
  const cut: Kafka = { ...kafka, firstOffsets: async () => noted.parts.map(() => 5n) }
  await assert.rejects(checkTopic(cut, noted), /can't be finished as it was begun/)
})

test('backfill - a broker that has forgotten the offsets changes nothing', async () => {
  const cluster = await clusterWith(manyInputs())
  const kafka = cluster.open()
  const whole = await runOf(kafka, 'whole')
  let left = 12
  cluster.failpoint = () => {
    if (--left === 0) throw new TransientError('the connection broke')
  }
  await assert.rejects(runOf(kafka, 'a'), TransientError)
  cluster.failpoint = () => undefined
  const forgetful: Kafka = { ...kafka, committedOffset: async () => 0n }
  const after = await runOf(forgetful, 'a')
  assert.deepEqual(after.partitions, whole.partitions)
  assert.deepEqual((await standing(kafka, 'a')).scores, (await standing(kafka, 'whole')).scores)
})

test('backfill - files into the topic: broken and started again, each score stands once', async () => {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  await kafka.ensureTopics(clusterTopics())
  const events = manyInputs().filter(({ kind }) => kind !== clockKind)
  const run = async (id: string): Promise<Backfilled> => {
    await using source = await openFileSource({
      location: 'events',
      files: [
        {
          source: 'a.jsonl',
          isGzipped: false,
          async *open() {
            yield Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
          },
        },
      ],
      sha256: 'of-a',
      untilAt: planOf(id).toAt,
      maxRejectedShare: 0,
      onRejected: async () => undefined,
      onProgress: () => undefined,
    })
    const begun = await beginInTopic(kafka, { ...planOf(id), source: source.plan })
    return await backfill({
      plan: begun.plan,
      source,
      model: hashingModel,
      target: openTopicTarget({ kafka, schemas, encoder, begun }),
      signal: new AbortController().signal,
      chunkVectors: 20,
      onProgress: () => undefined,
    })
  }
  const whole = await run('whole')
  for (const commits of [1, 4, 9, 14]) {
    let left = commits
    cluster.failpoint = (point) => {
      if (point === 'after-commit' && --left === 0) throw new TransientError('it broke')
    }
    await assert.rejects(run('broken'), TransientError)
  }
  cluster.failpoint = () => undefined
  assert.deepEqual((await run('broken')).partitions, whole.partitions)
  assert.deepEqual(
    (await standing(kafka, 'broken')).scores,
    (await standing(kafka, 'whole')).scores,
  )
  assert.ok(whole.total.scores > 500, String(whole.total.scores))
})

function manyInputs(): PlayerActivity[] {
  const [inputs] = fc.sample(
    histories(150).filter(({ length }) => length > 140),
    {
      seed,
      numRuns: 1,
    },
  )
  return (inputs as PlayerActivity[]).flatMap((input) =>
    input.kind === clockKind
      ? [input]
      : Array.from({ length: 5 }, (_, i) => ({ ...input, playerId: `${input.playerId}-${i}` })),
  )
}
