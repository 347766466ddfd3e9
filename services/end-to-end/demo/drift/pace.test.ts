import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Players } from '../../pipeline/players.ts'
import { openPace } from './pace.ts'
import type { Watch } from './watch.ts'
import { dayMs } from './world.ts'

/** Services that have judged whatever is written, up to so many days. */
function openWorld(judgesUntilDay: number) {
  let playedUntil = 0
  const players: Players = {
    get playedUntil() {
      return playedUntil
    },
    async playUntil(at) {
      if (at > 100 * dayMs) throw new RangeError('the simulated days were too few')
      playedUntil = at
    },
    close: () => Promise.resolve(),
  }
  const watch = {
    get judgedDay() {
      return Math.min(judgesUntilDay, playedUntil / dayMs - 2)
    },
  } as Watch
  return { players, watch }
}

test('playUntilFound - event time goes on until the look finds something', async () => {
  const { players, watch } = openWorld(Infinity)
  const pace = openPace(players, watch, () => undefined)
  const found = await pace.playUntilFound(
    () => (players.playedUntil >= 30 * dayMs ? 'found' : undefined),
    'fast',
  )
  assert.equal(found, 'found')
  assert.equal(pace.now, 30 * dayMs)
})

test('playUntilFound - who is behind is waited for, and found meanwhile is found', async () => {
  const { players, watch } = openWorld(10)
  const pace = openPace(players, watch, () => undefined)
  let looks = 0
  await pace.playUntilFound(() => (looks++ > 22 ? true : undefined), 'fast')
  // Six days and the one that was just written.
  assert.equal(pace.now, 17 * dayMs)
})

test('playUntilFound - it ends when waiting is of no use, and when the days are used up', async () => {
  const { players, watch } = openWorld(Infinity)
  const broken = openPace(players, watch, () => {
    throw new Error('a run failed')
  })
  await assert.rejects(
    broken.playUntilFound(() => undefined, 'fast'),
    /a run failed/,
  )
  const pace = openPace(players, watch, () => undefined)
  await assert.rejects(
    pace.playUntilFound(() => undefined, 'fast'),
    /the simulated days were too few/,
  )
})
