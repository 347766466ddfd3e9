// Is a request refused that nobody can act on?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { privacyRequestProblem } from './privacy.ts'

const request = {
  requestId: 'r-1',
  playerId: 'p-1',
  market: null,
  requestedBy: 'somebody',
  requestedAt: 0,
  untilOffset: 7,
}

test('privacyRequestProblem - one that can be done has none, each other one its reason', () => {
  assert.equal(privacyRequestProblem(request, 'p-1'), undefined)
  const reasons = [
    privacyRequestProblem({ ...request, requestId: '' }, 'p-1'),
    privacyRequestProblem({ ...request, playerId: '\u0000' }, '\u0000'),
    privacyRequestProblem(request, 'p-2'),
    privacyRequestProblem(request, undefined),
    privacyRequestProblem({ ...request, untilOffset: -1 }, 'p-1'),
    privacyRequestProblem({ ...request, untilOffset: 0.5 }, 'p-1'),
  ].map((problem) => problem?.reason)
  assert.deepEqual(reasons, [
    'bad-request-id',
    'bad-player-id',
    'key-is-not-the-player',
    'key-is-not-the-player',
    'bad-offset',
    'bad-offset',
  ])
})
