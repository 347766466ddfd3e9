// Does the processor set aside what the database refuses, and only that?
import { Health, TransientError, createMetrics } from '@churnstream/runtime'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowRefused, type Session } from './database.ts'
import { createSinkMetrics } from './metrics.ts'
import { createSinkProcessor } from './processor.ts'
import { received } from './testing.ts'

/** Refuses statements that hold one of these players. */
function fakeDatabase(refused: readonly string[] = []) {
  const stored: string[] = []
  let statements = 0
  const database: Session = {
    async query(_statement, values) {
      statements++
      const players = (values as string[][])[0] ?? []
      if (players.some((player) => refused.includes(player))) throw new RowRefused('22021 refused')
      stored.push(...players)
      return { rows: [], count: players.length }
    },
  }
  return { database, stored, statements: () => statements }
}

function processorOf(database: Session, health = new Health()) {
  return createSinkProcessor(database, createSinkMetrics(createMetrics('sinks')), health)
}

test('process - a batch is one statement, and each record is done', async () => {
  const { database, stored, statements } = fakeDatabase()
  const records = Array.from({ length: 1_000 }, (_, n) => received(n))
  const outcomes = await processorOf(database).process(0, records)
  assert.equal(statements(), 1)
  assert.equal(stored.length, 1_000)
  assert.ok(outcomes.every(({ kind }) => kind === 'emit'))
})

test('process - more than 1,000 records are several statements', async () => {
  const { database, statements } = fakeDatabase()
  const records = Array.from({ length: 2_500 }, (_, n) => received(n))
  assert.equal((await processorOf(database).process(0, records)).length, 2_500)
  assert.equal(statements(), 3)
})

test('process - refused rows become dead letters in their place, the rest is stored', async () => {
  const { database, stored, statements } = fakeDatabase(['bad-1', 'bad-2'])
  const records = Array.from({ length: 1_000 }, (_, n) =>
    received(n, n === 3 ? { playerId: 'bad-1' } : n === 700 ? { playerId: 'bad-2' } : {}),
  )
  const outcomes = await processorOf(database).process(0, records)
  assert.equal(outcomes.length, 1_000)
  const dead = outcomes.flatMap((outcome, at) => (outcome.kind === 'dead-letter' ? [at] : []))
  assert.deepEqual(dead, [3, 700])
  assert.deepEqual(outcomes[3], {
    kind: 'dead-letter',
    reason: 'refused-by-database',
    detail: '22021 refused',
  })
  assert.equal(stored.length, 998)
  assert.ok(statements() < 50, `${statements()} statements`)
})

test('process - a database that is away is thrown to the loop, and readiness says so', async () => {
  const health = new Health()
  let away = true
  const database: Session = {
    async query() {
      if (away) throw new TransientError('writing to PostgreSQL')
      return { rows: [], count: 1 }
    },
  }
  const processor = processorOf(database, health)
  await assert.rejects(async () => processor.process(0, [received(0)]), TransientError)
  assert.equal(health.state.ready, false)
  away = false
  await processor.process(0, [received(0)])
  assert.equal(health.state.ready, true)
})

test('process - a bug is not taken for poison', async () => {
  const database: Session = {
    async query() {
      throw new TypeError('a bug')
    },
  }
  await assert.rejects(async () => processorOf(database).process(0, [received(0)]), TypeError)
})
