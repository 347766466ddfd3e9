// Is each planted drift found in time, and nothing found where there is none?
import type { PlayerState } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { openModel, type Model } from './model.ts'
import { play, playersBefore } from './play.ts'
import { expectations, rowOf } from './table.ts'
import { plantedFrom } from './world.ts'

let model: Model
let players: readonly PlayerState[]

before(async () => {
  model = await openModel()
  players = playersBefore()
})

for (const expected of expectations) {
  const { plant } = expected
  test(`monitor - ${plant === 'none' ? 'a quiet world' : plant} is judged as it should be`, async (t) => {
    const plants = plant === 'none' ? [] : [{ kind: plant, from: plantedFrom }]
    const row = rowOf(expected, await play(model, players, plants))
    t.diagnostic(`${row.fired}; asked: ${row.requests}; held: ${row.held}`)
    assert.deepEqual(row.problems, [])
  })
}
