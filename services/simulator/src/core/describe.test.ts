// Does the simulated world stay near the published figures?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe } from './describe.ts'
import { dayMs } from './player.ts'
import { inRange, toTable } from './table.ts'

const startAt = Date.UTC(2026, 0, 1)
const figuresOf = (seed: number) =>
  describe({ seed, players: 3000, startAt, endAt: startAt + 120 * dayMs })

test('describe - every figure is inside the range of its anchor, for several seeds', () => {
  for (const seed of [1, 2, 3]) {
    const out = figuresOf(seed).filter((figure) => !inRange(figure))
    assert.deepEqual(out, [], `seed ${seed}`)
  }
})

test('describe - churn falls with tenure', () => {
  const rates = figuresOf(5)
    .filter(({ name }) => name.startsWith('churn at 28 days'))
    .map(({ value }) => value)
  assert.equal(rates.length, 4)
  const [week, month, second] = rates as [number, number, number, number]
  assert.ok(week > month && month > second, rates.join(' '))
})

test('toTable - has a row for each figure, and marks the one out of range', () => {
  const figure = { name: 'x', value: 0.5, unit: 'share', anchor: '-' } as const
  const table = toTable([figure, { ...figure, range: [0.6, 0.7] }])
  const lines = table.split('\n')
  assert.equal(lines.length, 4)
  assert.match(lines[3] ?? '', /50\.0 %.*60\.0 % to 70\.0 %.*NO/)
  assert.equal(new Set(lines.map((line) => line.length)).size, 1)
})
