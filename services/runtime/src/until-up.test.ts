import { RegistryUnavailable, SchemaRefused } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransientError } from './errors.ts'
import { Health } from './http.ts'
import { createLog } from './log.ts'
import { untilUp } from './until-up.ts'

const log = createLog('test', 'silent')

test('untilUp - what is away is waited for, and readiness says so', async () => {
  const health = new Health()
  const seen: Record<string, string>[] = []
  const id = await untilUp(
    'registry',
    'registering the schemas',
    async () => {
      seen.push(health.state.waiting)
      if (seen.length === 1) throw new RegistryUnavailable('answered 500')
      return 7
    },
    { health, log, signal: new AbortController().signal },
  )
  assert.equal(id, 7)
  assert.deepEqual(seen, [{ registry: 'registering the schemas' }, { registry: 'answered 500' }])
  assert.ok(health.state.ready)
})

test('untilUp - a refused schema ends the start', async () => {
  const refusal = new SchemaRefused('not backward compatible')
  const start = untilUp('registry', 'registering', () => Promise.reject(refusal), {
    health: new Health(),
    log,
    signal: new AbortController().signal,
  })
  await assert.rejects(start, refusal)
})

test('untilUp - a stop ends the wait', async () => {
  const stopping = new AbortController()
  const id = await untilUp(
    'kafka',
    'joining',
    () => {
      stopping.abort()
      return Promise.reject(new TransientError('no answer'))
    },
    { health: new Health(), log, signal: stopping.signal },
  )
  assert.equal(id, undefined)
})
