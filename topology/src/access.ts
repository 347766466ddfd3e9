// Who may do what on the cluster?
import { clusterTopics } from './cluster.ts'
import {
  groupOf,
  readingGroups,
  replayIds,
  soleWriterIdOf,
  transactionalIdPrefixOf,
} from './identities.ts'
import { consumedTopics, fused, processIds, services, type Service } from './services.ts'
import { backfillScores, deadLetterReceipts, deadLetterTopic, topics } from './topics.ts'
import { connectPrefix } from './warehouse.ts'

/** Kafka's own names. */
export type Operation =
  'Read' | 'Write' | 'Create' | 'Describe' | 'Alter' | 'DescribeConfigs' | 'AlterConfigs'

/** Nobody has anything on the cluster as a whole: that is refused to all but its own admin. */
export type AclResource = 'topic' | 'group' | 'transactionalId'

export interface AclRule {
  readonly principal: string
  readonly resource: AclResource
  readonly name: string
  readonly pattern: 'literal' | 'prefixed'
  readonly operations: readonly Operation[]
}

type Grant = Omit<AclRule, 'principal'>

export interface Principal {
  readonly name: string
  readonly does: string
  readonly grants: readonly Grant[]
}

interface Named {
  readonly name: string
}

const allServices: readonly Service[] = Object.values(services)
const consumers = allServices.filter(({ consumes }) => consumes.length > 0)
const verified: readonly Service[] = [services.features, services.scorer, services.sinks]
const letters = consumedTopics.map((topic) => ({ name: deadLetterTopic(topic) }))

// Read and Write imply Describe in Kafka's authorizer and not in others, so it is always named.
const on =
  (resource: AclResource, pattern: Grant['pattern'], ...operations: Operation[]) =>
  ({ name }: Named): Grant => ({ resource, name, pattern, operations })
const reads = on('topic', 'literal', 'Read', 'Describe')
const writes = on('topic', 'literal', 'Write', 'Describe')
const describes = on('topic', 'literal', 'Describe')
const keeps = on(
  'topic',
  'literal',
  ...(['Create', 'Describe', 'Alter', 'DescribeConfigs', 'AlterConfigs'] as const),
)
const joins = on('group', 'literal', 'Read', 'Describe')
const watches = on('group', 'literal', 'Describe')
const writesAs = on('transactionalId', 'literal', 'Write', 'Describe')
const writesAsAny = on('transactionalId', 'prefixed', 'Write', 'Describe')

/** What a service writes for each partition that it consumes, its dead letters included. */
const writtenInLanes = ({ consumes, produces, state }: Service): Named[] => [
  ...produces,
  ...state,
  ...consumes.map((topic) => ({ name: deadLetterTopic(topic) })),
]

/** Where two services run in one process, its producers write for both. */
const isFused = (service: Service): boolean =>
  [fused.first, fused.second].some(({ name }) => name === service.name)

/** The membership and the producers of a service that consumes; and whoever takes over fences. */
const lanes = (service: Service): Grant[] => [
  joins({ name: groupOf(service) }),
  ...[service, ...(isFused(service) ? [fused] : [])].map((owner) =>
    writesAsAny({ name: transactionalIdPrefixOf(owner) }),
  ),
]

function ofService(service: Service): Grant[] {
  const { consumes, follows, looksUp = [], produces, state, isSoleWriter = false } = service
  return [
    ...[...consumes, ...follows, ...looksUp, ...state].map(reads),
    ...[...produces, ...state].map(writes),
    ...(consumes.length === 0 ? [] : [...writtenInLanes(service).map(writes), ...lanes(service)]),
    ...(isSoleWriter ? [writesAs({ name: soleWriterIdOf(service.name) })] : []),
  ]
}

/** A service's loop that runs within another's process is that process's. */
function ofProcess(process: Service): Principal {
  const within = allServices.filter((service) => service.within === process.name)
  return {
    name: process.name,
    does: [process, ...within].map(({ does }) => does).join('; '),
    grants: [process, ...within].flatMap(ofService),
  }
}

const ofFused: Principal = {
  name: fused.name,
  does: fused.does,
  grants: [fused.first, fused.second].flatMap(ofService),
}

const modelGrants = [
  ...[topics.registryEvents, topics.loadReports].map(reads),
  writes(topics.retrainingRequests),
]

/** What whoever folds activity again must read: who was erased meanwhile is left out. */
const folded = [topics.playerActivity, topics.privacyConfirmations]

/** Those that are no service. */
const others: readonly Principal[] = [
  {
    name: 'orchestration',
    does: 'answers requests for retraining, and runs npm run replay and npm run model',
    grants: [
      ...[topics.retrainingRequests, topics.modelMonitoring].map(reads),
      ...folded.map(reads),
      ...modelGrants,
      joins({ name: readingGroups.orchestration }),
    ],
  },
  { name: 'model-cli', does: 'npm run model', grants: modelGrants },
  {
    name: 'replay',
    does: 'npm run replay: folds history again, and writes what came of it beside the stream',
    grants: [
      ...folded.map(reads),
      reads(backfillScores),
      writes(backfillScores),
      on('group', 'prefixed', 'Read', 'Describe')({ name: replayIds.groupPrefix }),
      writesAsAny({ name: replayIds.transactionalIdPrefix }),
    ],
  },
  {
    // Parking a record writes as the service that stands still, so it may what they all may.
    name: 'dead-letters',
    does: 'npm run dlq: reads what was set aside, writes it back, and parks records as their service',
    grants: [
      ...[...consumedTopics, ...letters, deadLetterReceipts].map(reads),
      ...[...consumedTopics, deadLetterReceipts].map(writes),
      ...consumers.flatMap(writtenInLanes).map(writes),
      ...consumers.flatMap(lanes),
      writesAs({ name: soleWriterIdOf('dead-letters') }),
    ],
  },
  {
    name: 'verifier',
    does: 'npm run verify: counts again what the topics hold',
    grants: [
      ...[...folded, topics.playerState, topics.featureVectors].map(reads),
      ...[topics.playerOutcomes, topics.churnScores].map(reads),
      ...verified
        .flatMap(({ consumes }) => consumes)
        .map((topic) => reads({ name: deadLetterTopic(topic) })),
      ...verified.map((service) => watches({ name: groupOf(service) })),
      joins({ name: readingGroups.verifier }),
    ],
  },
  {
    // Its proof is a scan of everything.
    name: 'privacy',
    does: 'npm run privacy: asks for the erasure of a player, and looks for them everywhere',
    grants: [
      ...clusterTopics().map(reads),
      ...[topics.privacyRequests, topics.privacyConfirmations].map(writes),
      ...consumers.map((service) => watches({ name: groupOf(service) })),
      on('group', 'prefixed', 'Describe')({ name: connectPrefix }),
    ],
  },
  {
    name: 'kafka-connect',
    does: 'copies scores and registry events to where others read them',
    grants: [
      ...[topics.churnScores, topics.registryEvents].map(reads),
      on(
        'topic',
        'prefixed',
        'Read',
        'Write',
        'Create',
        'Describe',
        'DescribeConfigs',
      )({
        name: connectPrefix,
      }),
      on('group', 'prefixed', 'Read', 'Describe')({ name: connectPrefix }),
      // Iceberg's coordinator commits in transactions.
      writesAsAny({ name: connectPrefix }),
    ],
  },
  {
    name: 'topic-admin',
    does: 'makes the topics of the topology and keeps their settings',
    grants: clusterTopics().map(keeps),
  },
  ...['lag-exporter', 'autoscaler'].map((name) => ({
    name,
    does: 'compares what the groups have committed with where their topics end',
    grants: [
      ...consumedTopics.map(describes),
      ...consumers.map((service) => watches({ name: groupOf(service) })),
    ],
  })),
]

/** Each with the least that it needs. */
export function principals(): Principal[] {
  const all = [...processIds.map((id) => ofProcess(services[id])), ofFused, ...others]
  return all.map((principal) => ({ ...principal, grants: merged(principal.grants) }))
}

export function aclRules(): AclRule[] {
  return principals().flatMap(({ name, grants }) =>
    grants.map((grant) => ({ principal: name, ...grant })),
  )
}

/** One rule for each name, by resource and name. */
function merged(grants: readonly Grant[]): Grant[] {
  const keyOf = ({ resource, name, pattern }: Grant) => `${resource} ${name} ${pattern}`
  return [...Map.groupBy(grants, keyOf)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, alike]) => ({
      ...(alike[0] as Grant),
      operations: [...new Set(alike.flatMap(({ operations }) => operations))].toSorted(),
    }))
}
