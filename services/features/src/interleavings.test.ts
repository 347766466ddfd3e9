// Does each event have its outcome once, whenever processes break, come and go?
import {
  DecodeProblem,
  Decoder,
  Encoder,
  type FeatureVector,
  type PlayerActivity,
  type PlayerOutcome,
  type PrivacyConfirmation,
  type RecordName,
  type Schemas,
} from '@churnstream/schemas'
import {
  FatalError,
  Health,
  TransientError,
  createLog,
  createMetrics,
  run,
} from '@churnstream/runtime'
import { MemoryCluster, readAll, until } from '@churnstream/runtime/testing'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { deadLetterTopic, services, topics } from '@churnstream/topology'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { histories } from './core/histories.ts'
import { Oracle } from './core/oracle.ts'
import { PartitionState } from './core/partition.ts'
import { createFeatureProcessor } from './processor.ts'

const seed = 20_260_102
const partitions = 2
const service = services.features
const input = topics.playerActivity
const requests = topics.privacyRequests
const log = createLog('test', 'silent')

const schemas = fixedSchemas({
  1: 'player-activity',
  2: 'feature-vector',
  3: 'player-outcome',
  4: 'player-state',
  5: 'privacy-confirmation',
  6: 'privacy-request',
}) as Schemas
const activityEncoder = new Encoder('player-activity', 1)
const requestEncoder = new Encoder('privacy-request', 6)
const encoders = {
  vector: new Encoder('feature-vector', 2),
  outcome: new Encoder('player-outcome', 3),
  state: new Encoder('player-state', 4),
  confirmation: new Encoder('privacy-confirmation', 5),
}

/** What may happen beside the records. */
const troubles = fc.oneof(
  fc.record({
    kind: fc.constantFrom('connection' as const, 'death' as const),
    at: fc.constantFrom('before-commit' as const, 'after-commit' as const),
  }),
  fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const, 'poison' as const) }),
  fc.record({
    kind: fc.constant('erasure' as const),
    playerId: fc.constantFrom('ada', 'bo', 'cy', 'nobody'),
    /** Records of the partition that are as good as there when the request is read. */
    ahead: fc.nat(15),
  }),
)
const schedules = fc.array(fc.record({ trouble: troubles, after: fc.nat(79), turns: fc.nat(6) }), {
  maxLength: 12,
  size: 'max',
})

/** Of players that a clock record concerns, and of records that are enough for a transaction. */
const bounds = fc.record({
  playersPerClock: fc.constantFrom(1, 2, Infinity),
  enoughRecords: fc.constantFrom(1, 3, Infinity),
})
type Bounds = typeof bounds extends fc.Arbitrary<infer T> ? T : never

/** A cluster on which features processes come and go. */
async function createGroup(bounded: Bounds) {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  const names = [input, requests, ...service.produces, ...service.state].map(({ name }) => name)
  await kafka.ensureTopics(
    [...names, deadLetterTopic(input), deadLetterTopic(requests)].map((name) => ({
      name,
      partitions,
      config: {},
    })),
  )
  const members: { stop: () => Promise<void>; isOver: boolean }[] = []
  let deaths = 0

  function join(): void {
    const stopping = new AbortController()
    const finished = run({
      kafka,
      schemas,
      service,
      topic: input,
      decoder: new Decoder(input.record),
      alongside: [{ topic: requests, decoder: new Decoder(requests.record) }],
      processor: createFeatureProcessor(encoders, schemas, bounded),
      // Troubles find more commits than at the usual pace.
      commitIntervalMs: 0,
      signal: stopping.signal,
      log,
      metrics: createMetrics('test'),
      health: new Health(),
    })
    const member = {
      isOver: false,
      async stop() {
        stopping.abort()
        await finished.catch(() => undefined)
      },
    }
    members.push(member)
    finished.catch((error: unknown) => {
      assert.match(String(error), /for the test/)
      member.isOver = true
      deaths++
      // As a supervisor would.
      join()
    })
  }

  return {
    kafka,
    join,
    async leave() {
      const staying = members.filter(({ isOver }) => !isOver)
      const leaving = staying.length > 1 ? staying[0] : undefined
      if (leaving === undefined) return
      members.splice(members.indexOf(leaving), 1)
      await leaving.stop()
    },
    /** The next commit that comes to this point. */
    breakAt(point: 'before-commit' | 'after-commit', kind: 'connection' | 'death') {
      cluster.failpoint = (reached) => {
        if (reached !== point) return
        cluster.failpoint = () => undefined
        if (kind === 'death') throw new FatalError('died for the test')
        throw new TransientError('broken for the test', { retryAfterMs: 1 })
      }
    },
    async stop() {
      cluster.failpoint = () => undefined
      await Promise.all(members.map((member) => member.stop()))
      return deaths
    },
  }
}

test('features - vectors, labels, dead letters and state are those of one quiet process', async () => {
  let [deaths, struck, erasures, ahead, passedBy] = [0, 0, 0, 0, 0]
  const generated = [histories(80), schedules, bounds] as const
  const property = fc.asyncProperty(...generated, async (inputs, schedule, bounded) => {
    const group = await createGroup(bounded)
    const { kafka } = group
    const producer = await kafka.openProducer()
    const sent: (PlayerActivity | 'poison')[][] = [[], []]
    const send = async (value: PlayerActivity | 'poison', partition: number): Promise<void> => {
      sent[partition]?.push(value)
      const bytes = value === 'poison' ? Buffer.from('poison') : activityEncoder.encode(value)
      await producer.send([{ topic: input.name, partition, key: null, value: bytes }])
    }
    const asked = [0, 0]
    const erase = async (playerId: string, ahead: number): Promise<void> => {
      const partition = partitionFor(playerId)
      asked[partition] = (asked[partition] as number) + 1
      const request = {
        requestId: `request-${erasures++}`,
        playerId,
        market: null,
        requestedBy: 'the test',
        requestedAt: 0,
        untilOffset: (sent[partition]?.length ?? 0) + ahead,
      }
      const value = requestEncoder.encode(request)
      await producer.send([{ topic: requests.name, partition, key: playerId, value }])
    }
    group.join()
    for (const [index, value] of inputs.entries()) {
      // A clock record goes to all partitions, a player to one.
      const isClock = value.playerId === ''
      for (let partition = 0; partition < partitions; partition++) {
        if (isClock || partition === partitionFor(value.playerId)) await send(value, partition)
      }
      for (const { trouble, after, turns } of schedule) {
        if (after !== index) continue
        struck++
        for (let i = 0; i < turns; i++) await turn()
        if (trouble.kind === 'join') group.join()
        else if (trouble.kind === 'leave') await group.leave()
        else if (trouble.kind === 'poison') await send('poison', index % partitions)
        else if ('playerId' in trouble) await erase(trouble.playerId, trouble.ahead)
        else if ('at' in trouble) group.breakAt(trouble.at, trouble.kind)
      }
    }
    for (let partition = 0; partition < partitions; partition++) {
      const end = BigInt(sent[partition]?.length ?? 0)
      await until('all is done', async () => {
        const next = await kafka.committedOffset(service.name, requests.name, partition)
        if (next !== BigInt(asked[partition] as number)) return false
        return (await kafka.committedOffset(service.name, input.name, partition)) === end
      })
    }
    deaths += await group.stop()
    for (let partition = 0; partition < partitions; partition++) {
      const confirmations = (await decoded(
        'privacy-confirmation',
        topics.privacyConfirmations.name,
      )) as PrivacyConfirmation[]
      assert.equal(confirmations.length, asked[partition])
      ahead += confirmations.filter((one) => one.fromOffset < one.untilOffset).length
      const { playersPerClock } = bounded
      const expected = expectedOf(sent[partition] ?? [], partition, confirmations, playersPerClock)
      passedBy += expected.passedBy
      assert.deepEqual(
        await decoded('feature-vector', topics.featureVectors.name),
        expected.vectors,
      )
      assert.deepEqual(
        await decoded('player-outcome', topics.playerOutcomes.name),
        expected.outcomes,
      )
      assert.equal(
        (await readAll(kafka, deadLetterTopic(input), partition)).length,
        expected.poison,
      )
      const images = await readAll(kafka, topics.playerState.name, partition)
      const newest = new Map(images.map(({ key, value }) => [String(key), value]))
      assert.deepEqual(kept(newest), kept(expected.state))

      async function decoded(name: RecordName, topic: string): Promise<unknown[]> {
        const records = await readAll(kafka, topic, partition)
        const decoder = new Decoder(name)
        await schemas.prepare(
          decoder,
          records.map(({ value }) => value),
        )
        return records.map(({ value }) => {
          const record = decoder.decode(value)
          assert.ok(!(record instanceof DecodeProblem))
          return { ...record }
        })
      }
    }
  })
  await fc.assert(property, { seed, numRuns: 150 })
  assert.ok(deaths > 50 && struck > 300, `${deaths} deaths, ${struck} troubles`)
  assert.ok(erasures > 50 && ahead > 10, `${erasures} erasures, ${ahead} ahead of the activity`)
  assert.ok(passedBy > 50, `${passedBy} clock records left players over`)
})

const partitionFor = (playerId: string): number => playerId.length % partitions

/** Without tombstones. */
const kept = (images: ReadonlyMap<string, Buffer | null>) =>
  new Map([...images].filter(([, value]) => value !== null))

/** A player's life ends before the offset that its confirmation names; the next begins behind another. */
function expectedOf(
  inputs: readonly (PlayerActivity | 'poison')[],
  partition: number,
  confirmations: readonly PrivacyConfirmation[],
  playersPerClock: number,
) {
  const oracle = new Oracle(playersPerClock)
  const quiet = new PartitionState({ playersPerClock })
  let passedBy = 0
  const vectors: FeatureVector[] = []
  const outcomes: PlayerOutcome[] = []
  const state = new Map<string, Buffer | null>()
  const note = (): void => {
    for (const [playerId, image] of quiet.takeErased())
      state.set(playerId, image === null ? null : encoders.state.encode(image))
    for (const image of quiet.takeChanges()) {
      state.set(image.playerId, encoders.state.encode(image))
    }
  }
  const eraseAt = (offset: number): void => {
    for (const { playerId, fromOffset, untilOffset } of confirmations) {
      if (fromOffset !== offset) continue
      oracle.erase(playerId)
      quiet.erase(playerId, fromOffset, untilOffset)
      note()
    }
  }
  for (const [offset, value] of inputs.entries()) {
    eraseAt(offset)
    if (value === 'poison') continue
    const isErased = confirmations.some(
      ({ playerId, fromOffset, untilOffset }) =>
        playerId === value.playerId && fromOffset <= offset && offset < untilOffset,
    )
    if (isErased) {
      assert.equal(quiet.onActivity(value, offset), 'erased')
      note()
      continue
    }
    const isClock = value.playerId === ''
    const result = isClock ? oracle.onClock(value.occurredAt) : oracle.onActivity(value)
    if (isClock) quiet.onClock(value.occurredAt, offset)
    else quiet.onActivity(value, offset)
    if (isClock && oracle.dueBy(value.occurredAt) > 0) passedBy++
    note()
    if (typeof result === 'string') continue
    const cause = {
      causeEventId: value.eventId,
      causeTopic: input.name,
      causePartition: partition,
      causeOffset: offset,
    }
    for (const { features, ...vector } of result.vectors) {
      vectors.push({ ...vector, ...cause, ...features } as FeatureVector)
    }
    for (const outcome of result.outcomes) {
      outcomes.push({ ...outcome, ...cause, horizonDays: 28 } as unknown as PlayerOutcome)
    }
  }
  eraseAt(inputs.length)
  const poison = inputs.filter((value) => value === 'poison').length
  return { vectors, outcomes, state, poison, passedBy }
}
