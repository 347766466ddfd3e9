// What is the shape of each record? Derived from schemas/avro: do not edit.

/** One thing a player did, or a clock record: the statement that event time has reached occurredAt. */
export interface PlayerActivity {
  /** Chosen by the producer, the same on every retry. A player's repeated id is folded once. */
  eventId: string
  /** signup, session_start, bet_placed, bet_settled, deposit, withdrawal or clock */
  kind: string
  /** Empty on a clock record */
  playerId: string
  /** Event time */
  occurredAt: number
  /** Where the player bets, for example us-nj. Empty on a clock record */
  market: string
  /** affiliate, organic, paid, referral; on signup */
  acquisitionSource: null | string
  /** sport, racing, multi, casino; on bets */
  product: null | string
  /** Currency units put at risk; on bets */
  stake: null | number
  /** Currency units returned, 0 when lost; on bet_settled */
  payout: null | number
  /** Decimal odds, at least 1; on bet_placed */
  odds: null | number
  /** Placed while the event was running; on bet_placed */
  inPlay: null | boolean
  /** Currency units; on deposit and withdrawal */
  amount: null | number
}

export interface DayTile {
  /** UTC day since the epoch */
  day: number
  bets: number
  inPlayBets: number
  /** hundredths */
  stake: number
  /** sum over bets, thousandths */
  odds: number
  settled: number
  /** hundredths */
  payout: number
  deposits: number
  /** hundredths */
  depositAmount: number
  withdrawals: number
  /** hundredths */
  withdrawalAmount: number
  sessions: number
}

/** What the features service knows of one player after the record at appliedOffset. Money in hundredths and odds in thousandths, so that sums are exact and do not depend on order. */
export interface PlayerState {
  playerId: string
  /** Offset in player-activity, same partition */
  appliedOffset: number
  market: string
  acquisitionSource: null | string
  firstProduct: null | string
  firstSeenAt: number
  firstBetAt: null | number
  lastBetAt: null | number
  lastDepositAt: null | number
  lastSessionAt: null | number
  lastSettledAt: null | number
  /** Greatest event time seen of this player */
  lastSeenAt: number
  losingStreak: number
  /** How many of the silence due times since the last bet have been scored */
  silenceStep: number
  /** Newest UTC day with a vector, -1 before the first */
  lastLabelDay: number
  tiles: DayTile[]
  /** Hashes of the newest event ids, oldest first */
  recentEventIds: number[]
  /** UTC days with a vector whose outcome is not known yet, oldest first */
  pendingLabelDays: number[]
  /** Not null: the player was erased, all else here is empty, and activity below this offset is not folded. Goes once the partition has passed it */
  erasedBefore: null | number
}

/** Every feature of one player as of an instant. Derived from the catalogue: do not edit. */
export interface FeatureVector {
  playerId: string
  /** Event time that the vector speaks of */
  asOf: number
  /** activity or clock */
  trigger: string
  causeEventId: string
  causeTopic: string
  causePartition: number
  causeOffset: number
  /** Time since the newest bet was placed (days) */
  days_since_last_bet: null | number
  /** Time since the newest deposit (days) */
  days_since_last_deposit: null | number
  /** Time since the newest session began (days) */
  days_since_last_session: null | number
  /** Time since the player was first seen (days) */
  tenure_days: null | number
  /** Bets placed today (bets) */
  bets_1d: null | number
  /** Bets placed in 7 days (bets) */
  bets_7d: null | number
  /** Bets placed in 30 days (bets) */
  bets_30d: null | number
  /** Stakes placed today (currency) */
  stake_1d: null | number
  /** Stakes placed in 7 days (currency) */
  stake_7d: null | number
  /** Stakes placed in 30 days (currency) */
  stake_30d: null | number
  /** Payouts settled in 7 days (currency) */
  payout_7d: null | number
  /** Payouts settled in 30 days (currency) */
  payout_30d: null | number
  /** Stakes less payouts in 7 days (currency) */
  net_loss_7d: null | number
  /** Stakes less payouts in 30 days (currency) */
  net_loss_30d: null | number
  /** Days with a bet in 7 days (days) */
  active_days_7d: null | number
  /** Days with a bet in 30 days (days) */
  active_days_30d: null | number
  /** Sessions begun in 7 days (sessions) */
  sessions_7d: null | number
  /** Sessions begun in 30 days (sessions) */
  sessions_30d: null | number
  /** Deposits in 7 days (deposits) */
  deposits_7d: null | number
  /** Deposits in 30 days (deposits) */
  deposits_30d: null | number
  /** Sum of deposits in 30 days (currency) */
  deposit_amount_30d: null | number
  /** Withdrawals in 30 days (withdrawals) */
  withdrawals_30d: null | number
  /** Sum of withdrawals in 30 days (currency) */
  withdrawal_amount_30d: null | number
  /** Bets a day over 7 days against 30 days (or tenure, if shorter) (ratio) */
  bets_trend: null | number
  /** Stake a day over 7 days against 30 days (or tenure, if shorter) (ratio) */
  stake_trend: null | number
  /** Share of active days over 7 days against 30 days (or tenure) (ratio) */
  active_days_trend: null | number
  /** Stake per bet in 30 days (currency) */
  average_stake_30d: null | number
  /** Mean odds of the bets placed in 30 days (decimal odds) */
  average_odds_30d: null | number
  /** Bets placed in play over bets placed, 30 days (share) */
  in_play_share_30d: null | number
  /** Days since the last bet over the usual gap between active days (ratio) */
  silence_ratio: null | number
  /** Settled bets lost in a row, newest backwards (bets) */
  losing_streak: null | number
  /** Where the player bets (code) */
  market: null | string
  /** How the player came: affiliate, organic, paid, referral (code) */
  acquisition_source: null | string
  /** Product of the first bet: sport, racing, multi, casino (code) */
  first_product: null | string
}

/** How likely a player is to leave: no bet on the 28 UTC days that follow the day of asOf. */
export interface ChurnScore {
  playerId: string
  market: string
  /** Event time that the score speaks of */
  asOf: number
  /** Probability of churn, 0 to 1 */
  score: number
  /** low, watch, at-risk or critical */
  band: string
  modelName: string
  modelVersion: string
  /** Epoch of the registry event that brought the model; never falls within a partition */
  modelEpoch: number
  /** activity: the player did something; clock: the player's silence grew */
  trigger: string
  causeEventId: string
  causeTopic: string
  causePartition: number
  causeOffset: number
  /** Where in feature-vectors the scored vector stands */
  vectorPartition: number
  vectorOffset: number
}

/** What became of a player: the label of all vectors of one UTC day. */
export interface PlayerOutcome {
  playerId: string
  market: string
  /** UTC day since the epoch; labels every vector whose asOf falls on it */
  asOfDay: number
  /** No bet on the horizonDays UTC days that follow asOfDay */
  churned: boolean
  horizonDays: number
  /** Event time at which the label became known */
  knownAt: number
  causeEventId: string
  causeTopic: string
  causePartition: number
  causeOffset: number
}

export interface ArtifactFile {
  /** Below artifactLocation */
  path: string
  /** Lower-case hexadecimal */
  sha256: string
  sizeBytes: number
}

/** Which version an alias names now, and how to fetch and check it. State, not a change: the newest record of a key is the truth. */
export interface RegistryEvent {
  modelName: string
  alias: string
  modelVersion: string
  /** s3://bucket/prefix of the model's folder */
  artifactLocation: string
  files: ArtifactFile[]
  /** Rises with every event of a key; goes on above the topic's end offset after the alias was removed; a rollback is a new epoch */
  epoch: number
  /** How the change was found. reconcile: by polling; webhook: announced by MLflow; rollback: made by the bridge because a scorer reported the champion unhealthy */
  origin: string
}

export interface Figure {
  name: string
  value: number
}

/** What one scorer replica has to say of model@alias: what stands under the alias there, and its newest verdict. State, not a change: the newest record of a key is the truth. */
export interface LoadReport {
  modelName: string
  alias: string
  /** Name of the scorer process */
  replica: string
  scorerVersion: string
  reportedAt: number
  /** Scores under champion, shadows under challenger, stands warm under previous; null when nothing does */
  loadedVersion: null | string
  /** -1 when nothing is loaded */
  loadedEpoch: number
  loadedAt: null | number
  /** null before the first verdict */
  verdictVersion: null | string
  /** -1 before the first verdict */
  verdictEpoch: number
  /** accepted, refused (never loaded), unhealthy (loaded, then left its guard) or none */
  verdict: string
  /** A slug, empty when accepted */
  reason: string
  /** What a person needs to mend it, empty when accepted */
  detail: string
  verdictAt: null | number
  /** Measured by the gates: goldenRows, goldenMaxDifference, goldenTolerance, microsecondsPerRow, onnxRuntimeMicrosecondsPerRow, forestMicrosecondsPerRow (missing where the forest kernel can not serve the model), servedByForest (1 or 0), memoryBytes, loadMs */
  verdictFigures: Figure[]
  /** Sums of loadedVersion under challenger since loadedAt, additive over replicas: rows, sameBand, sumDifference (shadow less champion), sumAbsoluteDifference, shadowMicroseconds, championMicroseconds, skippedRows. Empty under other aliases */
  shadowFigures: Figure[]
}

/** Somebody asks for a new version of a model: the orchestration trains one and decides whether it serves. */
export interface RetrainingRequest {
  /** Registered model, churn-<market> */
  modelName: string
  /** The market of the model, default for churn-default */
  market: string
  /** A slug: calendar, performance-fell, calibration-off, estimate-fell, inputs-drifted, scores-drifted, enough-labels or asked-for */
  reason: string
  /** A JSON object: the figures that the request stands on; asked-for has why */
  evidence: string
  /** Event time of the window that it stands on; of a person the time of asking */
  requestedAt: number
  /** Event time before which the monitor does not ask for this model again */
  cooldownUntil: number
  /** person, schedule or monitor */
  requestedBy: string
}

export interface ServedDay {
  modelName: string
  modelVersion: string
  market: string
  /** Hash of player and cause: the smallest of the day is chosen */
  chance: number
  score: number
  /** Had not churned already: the population of the training */
  isAtRisk: boolean
  /** Bet within 7 days before */
  isActive: boolean
  /** Index among the tenure bands */
  tenureBand: number
  /** Bin of each feature of the version's profile, one byte each; empty without a profile and once the day's inputs are told */
  bins: Buffer
}

export interface ShadowDay {
  modelName: string
  modelVersion: string
  market: string
  chance: number
  score: number
}

/** Of a player's vectors of a UTC day the one that stands for the day, and what became of the player. Kept until its cohort is told. */
export interface PlayerDay {
  playerId: string
  asOfDay: number
  served: null | ServedDay
  shadow: null | ShadowDay
  /** null until it is known */
  churned: null | boolean
}

/** Newest UTC day seen in each topic, -1 before the first */
export interface MonitorClock {
  scoresDay: number
  shadowsDay: number
  outcomesDay: number
  /** Everything due by this day was told */
  toldDay: number
}

/** The reference profile that the bins of a version were counted against */
export interface ProfileReference {
  modelName: string
  modelVersion: string
  /** s3://bucket/prefix of the version's folder; empty when it came without a profile */
  artifactLocation: string
  /** Of reference_profile.json */
  profileSha256: string
}

/** Scores and outcomes of a player's former life are left out when they come late */
export interface ErasedPlayer {
  playerId: string
  /** What was caused below this offset of player-activity is of the former life */
  untilOffset: number
  /** Once this UTC day is told none can come any more, and this record goes */
  untilDay: number
}

/** What a partition of the monitor knows: one player-day, its clock, the profile of a version, or a player who was erased. Exactly one of the four is there. */
export interface MonitorState {
  playerDay: null | PlayerDay
  clock: null | MonitorClock
  profile: null | ProfileReference
  erased: null | ErasedPlayer
}

/** One row for each player at risk, of a version in a market */
export interface InputCounts {
  modelName: string
  modelVersion: string
  market: string
  /** s3://bucket/prefix of the version's folder; empty when it came without a profile */
  artifactLocation: string
  /** Of reference_profile.json */
  profileSha256: string
  rows: number
  /** Rows by feature and bin, in the profile's order */
  features: number[][]
  /** Rows by score, in bins of equal width */
  score: number[]
}

/** Scores whose labels are known, by player at risk */
export interface Cohort {
  modelName: string
  modelVersion: string
  /** champion or challenger */
  role: string
  market: string
  /** s3://bucket/prefix of the version's folder; empty when it came without a profile */
  artifactLocation: string
  /** Of reference_profile.json */
  profileSha256: string
  scores: number[]
  /** For each score: bit 0 churned, bit 1 active within 7 days, bits 2 and 3 the tenure band */
  marks: Buffer
  /** Of a challenger: the champion's scores of the same vectors, NaN where it is another; else empty */
  championScores: number[]
  /** Scores of the day whose outcome never came */
  unlabelled: number
}

/** What one partition has counted of one UTC day: parts of the same day are added up. It carries inputs, a cohort, or the clock. */
export interface MonitoringPartial {
  /** Of the player topics */
  partition: number
  /** The UTC day that is counted, or that the clock has reached */
  day: number
  inputs: null | InputCounts
  cohort: null | Cohort
  /** Everything of this partition that is due by this day was told before */
  isClock: boolean
}

/** What the assessor knows after the partials that it has read. Exactly one of the two is there. */
export interface AssessorState {
  /** A partial that waits for its window, as it was read */
  partial: null | Buffer
  /** JSON: clocks of the partitions, and for each version the last windows that the policy looks back at */
  memory: null | string
}

export interface WindowStatistic {
  name: string
  /** A feature, score, or empty */
  subject: string
  value: number
  /** Interval of 95 %; null where there is none */
  low: null | number
  high: null | number
  /** What it was held against; null for a figure that only informs */
  threshold: null | number
  state: string
}

/** What was found of one version in whole UTC days: every figure with the threshold that it was held against. */
export interface MonitoringWindow {
  modelName: string
  modelVersion: string
  /** champion or challenger */
  role: string
  /** * for all markets together */
  market: string
  /** * for everybody, a tenure band, or active-7d: who bet within 7 days before */
  segment: string
  /** quality: is the feed whole; drift: inputs and scores against the training; estimate: performance before labels, never measured; performance: on mature labels */
  kind: string
  fromDay: number
  /** The last day that belongs to it */
  toDay: number
  rows: number
  /** ok, warning, alarm, insufficient-data (too few rows to say anything) or no-profile (nothing to compare with) */
  state: string
  /** The alarm stood in two of the last three windows, or needs no second one */
  isConfirmed: boolean
  statistics: WindowStatistic[]
}

/** A player is to be erased: everything that follows from their activity below untilOffset. */
export interface PrivacyRequest {
  /** Names the request in confirmations and proofs */
  requestId: string
  /** As in player-activity; also the record's key */
  playerId: string
  /** Whose law the request stands on, for the record; a player is erased in every market */
  market: null | string
  requestedBy: string
  requestedAt: number
  /** Where the player's partition of player-activity ended when they asked: what stands below is forgotten even if it has not been read yet */
  untilOffset: number
}

/** Somebody who keeps something of players has erased one. That of player-state says which activity is forgotten; all others follow it. */
export interface PrivacyConfirmation {
  requestId: string
  playerId: string
  /** player-state, monitor-state, postgresql/<table>, s3, or all: everything was done that can be done */
  place: string
  /** Players, player-days, rows or objects */
  erased: number
  /** The offset in player-activity before which the state was dropped */
  fromOffset: number
  /** Everything caused below this offset is erased; the activity from fromOffset to here was never folded. What comes later is a new life */
  untilOffset: number
}

/** Why a record was set aside. Each field is one header of the dead letter, named dlq.<field>, as UTF-8 text; key, value and the other headers are the original bytes. */
export interface DeadLetter {
  /** A slug, fit for a metric label */
  reason: string
  /** What a person needs to mend it */
  detail: string
  service: string
  topic: string
  partition: number
  offset: number
  /** The original record's, in milliseconds */
  timestamp: number
}

/** What was done with a dead letter. Keyed by where the letter stands, topic-partition@offset; written in the same transaction as what was done, so it is done once. */
export interface DeadLetterReceipt {
  /** Of the dead letter */
  topic: string
  partition: number
  offset: number
  /** replayed: its original bytes stand in their topic again; dropped: nothing will come of it */
  action: string
  /** The command that did it */
  batch: string
  /** What the person said, may be empty */
  because: string
  at: number
}
