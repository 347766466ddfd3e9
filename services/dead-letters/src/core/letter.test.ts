import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countLetters, countsText, matches, parsePlace, placeText, type Letter } from './letter.ts'

const letter = (offset: number, reason: string, action?: string): Letter => ({
  topic: 'player-activity.dlq',
  partition: 3,
  offset,
  cause: {
    reason,
    detail: '',
    service: 'features',
    topic: 'player-activity',
    partition: 3,
    offset: offset * 10,
    timestamp: 1_000 + offset,
  },
  key: null,
  value: null,
  headers: {},
  receipt:
    action === undefined
      ? undefined
      : { topic: '', partition: 3, offset, action, batch: 'b', because: '', at: 0 },
})

test('parsePlace - reads what placeText writes, and nothing else', () => {
  const place = { topic: 'player-activity.dlq', partition: 3, offset: 17 }
  assert.deepEqual(parsePlace(placeText(place)), place)
  for (const text of [
    '',
    'player-activity',
    'player-activity-3',
    'Player-3@1',
    'a-x@1',
    'a-1@-1',
  ]) {
    assert.equal(parsePlace(text), undefined, text)
  }
})

test('countLetters - by topic and reason, with what was done', () => {
  const letters = [
    letter(1, 'truncated'),
    letter(2, 'truncated', 'replayed'),
    letter(3, 'no-magic', 'dropped'),
    letter(4, 'truncated'),
  ]
  const [truncated, magic] = countLetters(letters)
  assert.deepEqual(
    [truncated?.waiting, truncated?.replayed, truncated?.newestAt, truncated?.example],
    [2, 1, 1_004, 'player-activity.dlq-3@4'],
  )
  assert.deepEqual([magic?.waiting, magic?.dropped, magic?.example], [0, 1, '–'])
  assert.match(countsText(countLetters(letters)), /truncated +2 +1 +0/)
  assert.equal(countsText([]), 'no dead letters')
})

test('matches - every part of the filter counts', () => {
  const one = letter(1, 'truncated')
  assert.ok(matches({})(one))
  assert.ok(matches({ topic: 'player-activity', reason: 'truncated', place: one })(one))
  assert.equal(matches({ reason: 'other' })(one), false)
  assert.equal(matches({ topic: 'churn-scores' })(one), false)
  assert.equal(matches({ place: { ...one, offset: 2 } })(one), false)
})
