// Do aliases move as promised, also when a move is refused or interrupted?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransientError } from '@churnstream/runtime'
import { modelTags, versionTags } from './contract.ts'
import { MemoryMlflow } from './memory-mlflow.ts'
import type { Mlflow } from './mlflow.ts'
import { MoveRefused, pin, promote, rollBack, type MoveReason } from './moves.ts'

const name = 'churn-gb'
const nowMs = Date.UTC(2026, 0, 2)
const manual = { kind: 'manual', reason: 'too many offers', nowMs } as const

function registry(versions: number): MemoryMlflow {
  const mlflow = new MemoryMlflow()
  for (let version = 0; version < versions; version++) mlflow.addVersion(name)
  return mlflow
}

async function standing(mlflow: Mlflow): Promise<(string | undefined)[]> {
  const { champion, previous } = (await mlflow.model(name))?.aliases ?? {}
  return previous === undefined ? [champion] : [champion, previous]
}
const tagsOf = async (mlflow: Mlflow, version: string) =>
  (await mlflow.version(name, version))?.tags ?? {}

async function refused(reason: MoveReason, move: Promise<unknown>, says: RegExp): Promise<void> {
  await assert.rejects(move, (error: Error) => {
    assert.ok(error instanceof MoveRefused, String(error))
    assert.equal(error.reason, reason)
    assert.match(error.message, says)
    return true
  })
}

test('promote - the champion before is remembered as previous', async () => {
  const mlflow = registry(2)
  assert.deepEqual(await promote(mlflow, name, '1'), {
    modelName: name,
    champion: '1',
    previous: undefined,
    changed: true,
  })
  assert.deepEqual(await promote(mlflow, name, '2'), {
    modelName: name,
    champion: '2',
    previous: '1',
    changed: true,
  })
  assert.deepEqual(await standing(mlflow), ['2', '1'])
})

test('promote - of the champion changes nothing and says so', async () => {
  const mlflow = registry(2)
  await promote(mlflow, name, '1')
  await promote(mlflow, name, '2')
  await mlflow.setVersionTags(name, '2', { [versionTags.verdict]: 'unhealthy' })
  mlflow.changes.length = 0
  const move = await promote(mlflow, name, '2')
  assert.deepEqual([move.changed, move.previous, mlflow.changes], [false, '1', []])
})

test('promote - names what is missing', async () => {
  const mlflow = registry(2)
  await refused('no-such-version', promote(mlflow, name, '7'), /no version 7. Its newest: 2, 1/)
  await refused('no-such-model', promote(mlflow, 'churn-nowhere', '1'), /no model churn-nowhere/)
})

test('promote - a refused version, an unhealthy one and a closed gate need force', async () => {
  const cases: [Record<string, string>, MoveReason, RegExp][] = [
    [
      { [versionTags.verdict]: 'refused', [versionTags.verdictReason]: 'foreign-columns' },
      'verdict',
      /refused \(foreign-columns/,
    ],
    [{ [versionTags.verdict]: 'unhealthy' }, 'verdict', /unhealthy/],
    [{ [versionTags.gate]: 'refused: columns' }, 'gate', /refused: columns/],
  ]
  for (const [tags, reason, says] of cases) {
    const mlflow = registry(1)
    await mlflow.setVersionTags(name, '1', tags)
    await refused(reason, promote(mlflow, name, '1'), says)
    assert.deepEqual(await standing(mlflow), [undefined])
    assert.equal((await promote(mlflow, name, '1', { force: true })).champion, '1')
  }
})

test('promote - what passed its gate and was accepted needs no force', async () => {
  const mlflow = registry(1)
  await mlflow.setVersionTags(name, '1', {
    [versionTags.verdict]: 'accepted',
    [versionTags.gate]: 'passed',
  })
  assert.equal((await promote(mlflow, name, '1')).changed, true)
})

test('rollBack - brings previous back and marks what it replaced', async () => {
  const mlflow = registry(2)
  await promote(mlflow, name, '1')
  await promote(mlflow, name, '2')
  const move = await rollBack(mlflow, name, manual)
  assert.deepEqual(move, { modelName: name, champion: '1', previous: '2', changed: true })
  assert.deepEqual(await standing(mlflow), ['1', '2'])
  assert.equal(
    (await tagsOf(mlflow, '2'))[versionTags.rolledBack],
    '2026-01-02T00:00:00.000Z manual: too many offers',
  )
})

test('rollBack - twice does not bring the bad version back; promoting it does and takes its mark', async () => {
  const mlflow = registry(2)
  await promote(mlflow, name, '1')
  await promote(mlflow, name, '2')
  await rollBack(mlflow, name, manual)
  await refused('previous-rolled-back', rollBack(mlflow, name, manual), /itself rolled back/)
  assert.deepEqual(await standing(mlflow), ['1', '2'])
  await promote(mlflow, name, '2')
  assert.equal((await tagsOf(mlflow, '2'))[versionTags.rolledBack], undefined)
  assert.deepEqual(await standing(mlflow), ['2', '1'])
})

test('rollBack - is refused without a previous, without a champion, when pinned, when moved on', async () => {
  const mlflow = registry(3)
  await refused('no-champion', rollBack(mlflow, name, manual), /Promote/)
  await promote(mlflow, name, '1')
  await refused('no-previous', rollBack(mlflow, name, manual), /Promote/)
  await pin(mlflow, name, '2')
  await refused('pinned', rollBack(mlflow, name, manual), /Unpin/)
  await pin(mlflow, name, undefined)
  await refused(
    'moved-on',
    rollBack(mlflow, name, { ...manual, from: '1' }),
    /version 2 is champion/,
  )
  assert.deepEqual(await standing(mlflow), ['2', '1'])
})

test('rollBack - nobody is asked: not onto a version that is unhealthy itself', async () => {
  const mlflow = registry(2)
  await promote(mlflow, name, '1')
  await promote(mlflow, name, '2')
  await mlflow.setVersionTags(name, '1', { [versionTags.verdict]: 'unhealthy' })
  const automatic = { ...manual, kind: 'automatic' } as const
  await refused('previous-unhealthy', rollBack(mlflow, name, automatic), /unhealthy itself/)
  assert.equal((await rollBack(mlflow, name, manual)).champion, '1')
})

test('rollBack - two at once do what one does', async () => {
  const mlflow = registry(2)
  await promote(mlflow, name, '1')
  await promote(mlflow, name, '2')
  await Promise.allSettled([
    rollBack(mlflow, name, { ...manual, from: '2' }),
    rollBack(mlflow, name, { ...manual, from: '2' }),
  ])
  assert.deepEqual(await standing(mlflow), ['1', '2'])
})

test('pin - promotes, holds against promotions, moves, and lets go', async () => {
  const mlflow = registry(3)
  await promote(mlflow, name, '1')
  assert.equal((await pin(mlflow, name, '2')).champion, '2')
  assert.equal((await mlflow.model(name))?.tags[modelTags.pinned], '2')
  await refused('pinned', promote(mlflow, name, '3', { force: true }), /pinned to version 2/)
  assert.equal((await pin(mlflow, name, '2')).changed, false)
  assert.deepEqual((await pin(mlflow, name, '3')).champion, '3')
  assert.deepEqual(await pin(mlflow, name, undefined), {
    modelName: name,
    champion: '3',
    previous: '2',
    changed: true,
  })
  assert.equal((await pin(mlflow, name, undefined)).changed, false)
})

test('pin - of a version that may not be champion pins nothing', async () => {
  const mlflow = registry(2)
  await promote(mlflow, name, '1')
  await mlflow.setVersionTags(name, '2', { [versionTags.gate]: 'refused: width' })
  await refused('gate', pin(mlflow, name, '2'), /width/)
  assert.equal((await mlflow.model(name))?.tags[modelTags.pinned], undefined)
})

test('moves - cut off after any call and done again, they end as if never cut off', async () => {
  const changing = new Set(['setAlias', 'setVersionTags', 'deleteVersionTag', 'setModelTag'])
  const moves: [string, (mlflow: Mlflow) => Promise<unknown>][] = [
    ['promote', (mlflow) => promote(mlflow, name, '3')],
    ['promote again', (mlflow) => promote(mlflow, name, '4')],
    ['pin', (mlflow) => pin(mlflow, name, '3')],
  ]
  for (const [what, move] of moves) {
    const [whole, calls] = await run(move, Infinity)
    for (let cutAfter = 0; cutAfter < calls; cutAfter++) {
      assert.deepEqual((await run(move, cutAfter))[0], whole, `${what} cut off after ${cutAfter}`)
    }
  }

  async function run(move: (mlflow: Mlflow) => Promise<unknown>, cutAfter: number) {
    const mlflow = registry(4)
    await promote(mlflow, name, '1')
    await promote(mlflow, name, '2')
    await mlflow.setVersionTags(name, '4', { [versionTags.rolledBack]: 'once' })
    let calls = 0
    mlflow.failpoint = (method) => {
      if (changing.has(method) && calls++ === cutAfter) throw new TransientError('cut off')
    }
    if (cutAfter !== Infinity) await assert.rejects(move(mlflow), TransientError)
    await move(mlflow)
    const { aliases, tags } = (await mlflow.model(name)) ?? {}
    return [{ aliases, tags, mark: await tagsOf(mlflow, '4') }, calls] as const
  }
})

test('rollBack - cut off after any call, the bad version is never one step from coming back', async () => {
  for (let cutAfter = 0; cutAfter < 3; cutAfter++) {
    const mlflow = registry(2)
    await promote(mlflow, name, '1')
    await promote(mlflow, name, '2')
    let calls = 0
    mlflow.failpoint = (method) => {
      if (method.startsWith('set') && calls++ === cutAfter) throw new TransientError('cut off')
    }
    await assert.rejects(rollBack(mlflow, name, manual), TransientError)
    await rollBack(mlflow, name, manual).catch((error: unknown) => {
      assert.ok(error instanceof MoveRefused, String(error))
    })
    assert.equal((await standing(mlflow))[0], '1', `cut off after ${cutAfter}`)
    await assert.rejects(rollBack(mlflow, name, manual), MoveRefused)
    assert.equal((await standing(mlflow))[0], '1')
  }
})
