// Which kinds of record exist, and what is the Avro schema of each?
import { readFileSync } from 'node:fs'
import type {
  ChurnScore,
  DeadLetter,
  DeadLetterReceipt,
  FeatureVector,
  LoadReport,
  AssessorState,
  MonitoringPartial,
  MonitoringWindow,
  MonitorState,
  PlayerActivity,
  PlayerOutcome,
  PlayerState,
  PrivacyConfirmation,
  PrivacyRequest,
  RegistryEvent,
  RetrainingRequest,
} from './types.ts'

export interface Records {
  'player-activity': PlayerActivity
  'player-state': PlayerState
  'feature-vector': FeatureVector
  'churn-score': ChurnScore
  'player-outcome': PlayerOutcome
  'registry-event': RegistryEvent
  'load-report': LoadReport
  'retraining-request': RetrainingRequest
  'monitor-state': MonitorState
  'monitoring-partial': MonitoringPartial
  'assessor-state': AssessorState
  'monitoring-window': MonitoringWindow
  'privacy-request': PrivacyRequest
  'privacy-confirmation': PrivacyConfirmation
  'dead-letter': DeadLetter
  'dead-letter-receipt': DeadLetterReceipt
}
export type RecordName = keyof Records

export const recordNames: readonly RecordName[] = [
  'player-activity',
  'player-state',
  'feature-vector',
  'churn-score',
  'player-outcome',
  'registry-event',
  'load-report',
  'retraining-request',
  'monitor-state',
  'monitoring-partial',
  'assessor-state',
  'monitoring-window',
  'privacy-request',
  'privacy-confirmation',
  'dead-letter',
  'dead-letter-receipt',
]

/** The Avro schema of a record, as JSON text: what is registered and what readers resolve to. */
export function schemaText(name: RecordName): string {
  return readFileSync(new URL(`../avro/${name}.avsc`, import.meta.url), 'utf8')
}

export const activityKinds = [
  'signup',
  'session_start',
  'bet_placed',
  'bet_settled',
  'deposit',
  'withdrawal',
] as const
export type ActivityKind = (typeof activityKinds)[number]
/** The kind of a clock record: event time has reached occurredAt in this partition. */
export const clockKind = 'clock'
