// Which histories may a partition see? Random ones, for property tests.
import { clockKind, type PlayerActivity } from '@churnstream/schemas'
import * as fc from 'fast-check'
import { activity, at } from './testing.ts'

const hour = 1 / 24

const step = fc.record({
  /** Hours since the input before. */
  later: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 5 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 24 * 20 }) },
  ),
  /** Hours by which it comes late. */
  late: fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 24 * 33 }) },
  ),
  what: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom('clock', 'again') },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'bet_placed',
        'bet_settled',
        'deposit',
        'withdrawal',
        'session_start',
        'signup',
      ),
    },
  ),
  playerId: fc.constantFrom('ada', 'bo', 'cy', 'Åsa'),
  /** How many inputs ago the event stands that comes again. */
  ago: fc.integer({ min: 1, max: 50 }),
  market: fc.constantFrom('us-nj', 'gb'),
  acquisitionSource: fc.constantFrom(null, null, 'affiliate', 'search'),
  product: fc.constantFrom(null, 'sport', 'casino'),
  cents: fc.integer({ min: 0, max: 100_000 }),
  odds: fc.integer({ min: 1_000, max: 20_000 }),
  isLost: fc.boolean(),
  inPlay: fc.constantFrom(null, true, false),
})
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Activity of a few players with late events, repeated ids and clock records. */
export const histories = (maxLength: number): fc.Arbitrary<PlayerActivity[]> =>
  fc.array(step, { minLength: 1, maxLength, size: 'max' }).map(toHistory)

function toHistory(steps: readonly Step[]): PlayerActivity[] {
  const inputs: PlayerActivity[] = []
  let now = 40
  for (const [index, one] of steps.entries()) {
    now += one.later * hour
    const repeated = inputs[index - one.ago]
    const days = now - one.late * hour
    if (one.what === 'clock') {
      inputs.push(activity(clockKind, days, { eventId: `clock-${index}`, playerId: '' }))
    } else if (one.what === 'again' && repeated !== undefined) {
      inputs.push(repeated)
    } else {
      inputs.push(toActivity(one, index, days))
    }
  }
  return inputs
}

function toActivity(one: Step, index: number, days: number): PlayerActivity {
  const kind = one.what === 'again' ? 'bet_placed' : one.what
  const money = one.cents / 100
  const isBet = kind === 'bet_placed'
  return activity(kind, days, {
    eventId: `event-${index}`,
    playerId: one.playerId,
    occurredAt: at(days),
    market: one.market,
    acquisitionSource: one.acquisitionSource,
    product: isBet ? one.product : null,
    stake: isBet ? money : null,
    odds: isBet ? one.odds / 1000 : null,
    inPlay: isBet ? one.inPlay : null,
    payout: kind === 'bet_settled' ? (one.isLost ? 0 : money) : null,
    amount: kind === 'deposit' || kind === 'withdrawal' ? money : null,
  })
}
