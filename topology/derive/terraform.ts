// What must Terraform know of topics, services, and who may do what on an MSK cluster?
import {
  clusterTopics,
  fused,
  fusedPlacement,
  groupOf,
  principals,
  processes,
  services,
  type AclResource,
  type AclRule,
  type Operation,
  type Service,
} from '../src/index.ts'

type Grant = Omit<AclRule, 'principal'>

/** Kafka's operations in the words of IAM, where they follow the prefix `kafka-cluster:`. */
const actions: Record<AclResource, Partial<Record<Operation, readonly string[]>>> = {
  topic: {
    Read: ['ReadData', 'DescribeTopic'],
    Write: ['WriteData', 'DescribeTopic'],
    Create: ['CreateTopic'],
    Describe: ['DescribeTopic'],
    Alter: ['AlterTopic'],
    DescribeConfigs: ['DescribeTopicDynamicConfiguration'],
    AlterConfigs: ['AlterTopicDynamicConfiguration'],
  },
  group: { Read: ['AlterGroup', 'DescribeGroup'], Describe: ['DescribeGroup'] },
  transactionalId: {
    Write: ['AlterTransactionalId', 'DescribeTransactionalId'],
    Describe: ['DescribeTransactionalId'],
  },
}

const paths = {
  topic: 'topic',
  group: 'group',
  transactionalId: 'transactional-id',
} as const satisfies Record<AclResource, string>

/** terraform/topology.json. */
export function terraformFile(): string {
  const known = {
    topics: clusterTopics().map(({ name, partitions }) => ({ name, partitions })),
    groups: Object.values<Service>(services).flatMap((service) =>
      service.consumes.map(({ name }) => ({ group: groupOf(service), topic: name })),
    ),
    principals: Object.fromEntries(
      principals().map(({ name, grants }) => [name, toStatements(grants)]),
    ),
    services: Object.fromEntries(
      processes.map(({ name, port, placement }) => [name, { port, ...placement }]),
    ),
    fused: {
      inPlaceOf: [fused.first.name, fused.second.name],
      services: { [fused.name]: { port: fused.port, ...fusedPlacement } },
    },
  }
  return `${JSON.stringify(known, null, 2)}\n`
}

interface Statement {
  readonly actions: readonly string[]
  /** As in an ARN of the cluster: kind/name, or kind/prefix*. */
  readonly resources: readonly string[]
}

/** Names that allow the same stand together: an inline policy of a role holds 10,240 characters. */
function toStatements(grants: readonly Grant[]): Statement[] {
  const alike = Map.groupBy(grants, (grant) => toActions(grant).join())
  const writes = grants.some(({ operations }) => operations.includes('Write'))
  return [
    {
      // Without it IAM lets nobody have a producer id, which every producer of ours asks for.
      actions: ['Connect', ...(writes ? ['WriteDataIdempotently'] : [])].map(inIam),
      resources: ['cluster'],
    },
    ...[...alike.values()].map((group) => ({
      actions: toActions(group[0] as Grant),
      resources: group.map(toPath),
    })),
  ]
}

function toActions({ resource, operations }: Grant): string[] {
  const all = operations.flatMap((operation) => {
    const known = actions[resource][operation]
    if (!known) throw new Error(`IAM has no word for ${operation} of a ${resource}`)
    return known
  })
  return [...new Set(all)].toSorted().map(inIam)
}

function toPath({ resource, name, pattern }: Grant): string {
  return `${paths[resource]}/${name}${pattern === 'prefixed' ? '*' : ''}`
}

function inIam(action: string): string {
  return `kafka-cluster:${action}`
}
