import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLog } from './report.ts'
import { dayMs, liveFrom } from './world.ts'

const happened = { what: 'it did', eventAt: liveFrom + 2 * dayMs, evidence: { version: '2' } }

test('openLog - every step has its evidence and the time by both clocks', async () => {
  let seconds = 0
  const lines: string[] = []
  const log = openLog(
    () => seconds,
    (line) => lines.push(line),
  )
  await log.step('first', () => {
    seconds = 12.34
    return happened
  })
  const report = log.report()
  assert.equal(report.isClosed, true)
  assert.equal(report.missing, null)
  assert.deepEqual(report.steps, [
    {
      step: 'first',
      what: 'it did',
      eventAt: '2026-01-03T00:00:00.000Z',
      simulatedDay: 2,
      wallSeconds: 12.3,
      evidence: { version: '2' },
    },
  ])
  assert.deepEqual(lines, ['day 2: first: it did'])
})

test('openLog - the step that did not happen is named, and those before it stand', async () => {
  const log = openLog(
    () => 0,
    () => undefined,
  )
  await log.step('first', () => happened)
  const failing = log.step('second', () => Promise.reject(new Error('nobody came')))
  await assert.rejects(failing, /nobody came/)
  const { isClosed, missing, why, steps } = log.report(new Error('nobody came'))
  assert.deepEqual([isClosed, missing, why], [false, 'second', 'nobody came'])
  assert.deepEqual(
    steps.map(({ step }) => step),
    ['first'],
  )
})
