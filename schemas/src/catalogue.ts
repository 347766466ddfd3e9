// Which features exist, and what does each one mean?

/** One feature of a player at an instant (asOf). Absent knowledge is null, never zero. */
export interface Feature {
  readonly name: string
  readonly type: 'double' | 'string'
  readonly unit: string
  readonly meaning: string
}

const number = <N extends string>(name: N, unit: string, meaning: string) =>
  ({ name, type: 'double', unit, meaning }) as const
const category = <N extends string>(name: N, unit: string, meaning: string) =>
  ({ name, type: 'string', unit, meaning }) as const

/**
 * The contract between features and models. Windows of n days are the UTC day of asOf and the n - 1
 * days before it. feature-vector.avsc is derived from this list; a model's signature must be a
 * projection of it. Append only: a removed or retyped feature breaks every registered model.
 */
export const catalogue = [
  number('days_since_last_bet', 'days', 'Time since the newest bet was placed'),
  number('days_since_last_deposit', 'days', 'Time since the newest deposit'),
  number('days_since_last_session', 'days', 'Time since the newest session began'),
  number('tenure_days', 'days', 'Time since the player was first seen'),
  number('bets_1d', 'bets', 'Bets placed today'),
  number('bets_7d', 'bets', 'Bets placed in 7 days'),
  number('bets_30d', 'bets', 'Bets placed in 30 days'),
  number('stake_1d', 'currency', 'Stakes placed today'),
  number('stake_7d', 'currency', 'Stakes placed in 7 days'),
  number('stake_30d', 'currency', 'Stakes placed in 30 days'),
  number('payout_7d', 'currency', 'Payouts settled in 7 days'),
  number('payout_30d', 'currency', 'Payouts settled in 30 days'),
  number('net_loss_7d', 'currency', 'Stakes less payouts in 7 days'),
  number('net_loss_30d', 'currency', 'Stakes less payouts in 30 days'),
  number('active_days_7d', 'days', 'Days with a bet in 7 days'),
  number('active_days_30d', 'days', 'Days with a bet in 30 days'),
  number('sessions_7d', 'sessions', 'Sessions begun in 7 days'),
  number('sessions_30d', 'sessions', 'Sessions begun in 30 days'),
  number('deposits_7d', 'deposits', 'Deposits in 7 days'),
  number('deposits_30d', 'deposits', 'Deposits in 30 days'),
  number('deposit_amount_30d', 'currency', 'Sum of deposits in 30 days'),
  number('withdrawals_30d', 'withdrawals', 'Withdrawals in 30 days'),
  number('withdrawal_amount_30d', 'currency', 'Sum of withdrawals in 30 days'),
  number('bets_trend', 'ratio', 'Bets a day over 7 days against 30 days (or tenure, if shorter)'),
  number('stake_trend', 'ratio', 'Stake a day over 7 days against 30 days (or tenure, if shorter)'),
  number(
    'active_days_trend',
    'ratio',
    'Share of active days over 7 days against 30 days (or tenure)',
  ),
  number('average_stake_30d', 'currency', 'Stake per bet in 30 days'),
  number('average_odds_30d', 'decimal odds', 'Mean odds of the bets placed in 30 days'),
  number('in_play_share_30d', 'share', 'Bets placed in play over bets placed, 30 days'),
  number(
    'silence_ratio',
    'ratio',
    'Days since the last bet over the usual gap between active days',
  ),
  number('losing_streak', 'bets', 'Settled bets lost in a row, newest backwards'),
  category('market', 'code', 'Where the player bets'),
  category('acquisition_source', 'code', 'How the player came: affiliate, organic, paid, referral'),
  category('first_product', 'code', 'Product of the first bet: sport, racing, multi, casino'),
] as const satisfies readonly Feature[]

export type FeatureName = (typeof catalogue)[number]['name']
