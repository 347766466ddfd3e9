// What must hold for every resource of an environment, whoever adds it?

export interface Resource {
  readonly address: string
  readonly type: string
  /** As Terraform knows them. What is known only after an apply is missing from a plan. */
  readonly values: Readonly<Record<string, unknown>>
}

export interface Policy {
  readonly promise: string
  /** What is wrong, each with its address. */
  violations(resources: readonly Resource[]): string[]
  /** A resource that keeps it, and how it would be broken: to see that it is seen. */
  readonly breaks: { readonly type: string; readonly values: Readonly<Record<string, unknown>> }
}

const world = (range: unknown): boolean => typeof range === 'string' && range.endsWith('/0')

const ofType = (resources: readonly Resource[], type: string): Resource[] =>
  resources.filter((resource) => resource.type === type)

/** Each of a type that is not as it must be. */
const wrong =
  (type: string, isWrong: (values: Resource['values']) => boolean) =>
  (resources: readonly Resource[]): string[] =>
    ofType(resources, type)
      .filter(({ values }) => isWrong(values))
      .map(({ address }) => address)

const inBlock = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((at, name) => {
    const inner = Array.isArray(at) ? (at[0] as unknown) : at
    return (inner as Record<string, unknown> | undefined)?.[name]
  }, value)

/** Null is set to nothing; what is only known later is not there at all. */
const isNothing = (values: Resource['values'], name: string): boolean =>
  name in values && (values[name] === null || values[name] === '')

const keyed = (type: string, name: string): Policy => ({
  promise: `every ${type} is encrypted with our key`,
  violations: wrong(type, (values) => isNothing(values, name)),
  breaks: { type, values: { [name]: null } },
})

const flag = (type: string, name: string, expected: unknown, promise: string): Policy => ({
  promise,
  violations: wrong(type, (values) => values[name] !== expected),
  breaks: { type, values: { [name]: typeof expected === 'boolean' ? !expected : 'other' } },
})

/** A part of every bucket that is a resource of its own. */
const ofEveryBucket = (
  type: string,
  promise: string,
  isWrong: (values: Resource['values']) => boolean,
  broken: Resource['values'],
): Policy => ({
  promise,
  violations: (resources) => [
    ...wrong(type, isWrong)(resources),
    ...(ofType(resources, type).length < ofType(resources, 'aws_s3_bucket').length
      ? [`a bucket without ${type}`]
      : []),
  ],
  breaks: { type, values: broken },
})

const publicBlocks = [
  'block_public_acls',
  'block_public_policy',
  'ignore_public_acls',
  'restrict_public_buckets',
]

interface Container {
  readonly name: string
  readonly image: string
  readonly user?: string
  readonly readonlyRootFilesystem?: boolean
  readonly linuxParameters?: { readonly capabilities?: { readonly drop?: readonly string[] } }
  readonly environment?: readonly { readonly name: string; readonly value: string }[]
}

const containers = (values: Resource['values']): Container[] =>
  typeof values['container_definitions'] === 'string'
    ? (JSON.parse(values['container_definitions']) as Container[])
    : []

const ofContainers = (
  promise: string,
  isWrong: (container: Container) => boolean,
  broken: Container,
): Policy => ({
  promise,
  violations: wrong('aws_ecs_task_definition', (values) => containers(values).some(isWrong)),
  breaks: {
    type: 'aws_ecs_task_definition',
    values: { container_definitions: JSON.stringify([broken]) },
  },
})

const closed: Container = {
  name: 'broken',
  image: `registry.test/image@sha256:${'0'.repeat(64)}`,
  user: '65532',
  readonlyRootFilesystem: true,
  linuxParameters: { capabilities: { drop: ['ALL'] } },
}

export const policies: readonly Policy[] = [
  {
    promise: 'nothing is open to the world',
    violations: wrong(
      'aws_vpc_security_group_ingress_rule',
      ({ cidr_ipv4: v4, cidr_ipv6: v6 }) => world(v4) || world(v6),
    ),
    breaks: { type: 'aws_vpc_security_group_ingress_rule', values: { cidr_ipv4: '0.0.0.0/0' } },
  },
  {
    promise: 'who comes in stands in rules of their own, which are looked at here',
    violations: wrong(
      'aws_security_group',
      ({ ingress }) => Array.isArray(ingress) && ingress.length > 0,
    ),
    breaks: { type: 'aws_security_group', values: { ingress: [{ cidr_blocks: ['0.0.0.0/0'] }] } },
  },
  flag('aws_lb', 'internal', true, 'load balancers are internal'),
  flag('aws_lb_listener', 'protocol', 'HTTPS', 'load balancers speak TLS alone'),
  {
    promise: 'every rule of a load balancer says for whom it is',
    violations: wrong('aws_lb_listener_rule', ({ condition }) => {
      const ranges = (condition as { source_ip: { values: string[] }[] }[]).flatMap((one) =>
        one.source_ip.flatMap(({ values }) => values),
      )
      return ranges.length === 0 || ranges.some(world)
    }),
    breaks: { type: 'aws_lb_listener_rule', values: { condition: [{ source_ip: [] }] } },
  },
  {
    promise: 'Kafka is reached by TLS alone, and by nobody unknown',
    violations: wrong('aws_msk_cluster', (values) => {
      const transit = inBlock(values, 'encryption_info', 'encryption_in_transit')
      return (
        inBlock(transit, 'client_broker') !== 'TLS' ||
        inBlock(transit, 'in_cluster') !== true ||
        inBlock(values, 'client_authentication', 'unauthenticated') !== false ||
        [inBlock(values, 'client_authentication', 'tls') ?? []].flat().length > 0
      )
    }),
    breaks: {
      type: 'aws_msk_cluster',
      values: { client_authentication: [{ unauthenticated: true }] },
    },
  },
  flag('aws_db_instance', 'publicly_accessible', false, 'databases are private'),
  flag('aws_db_instance', 'storage_encrypted', true, 'databases are encrypted'),
  flag('aws_db_instance', 'skip_final_snapshot', false, 'a database leaves a last snapshot'),
  flag('aws_db_instance', 'manage_master_user_password', true, 'no person knows its password'),
  {
    promise: 'databases have a week of backups',
    violations: wrong(
      'aws_db_instance',
      ({ backup_retention_period: days }) => typeof days !== 'number' || days < 7,
    ),
    breaks: { type: 'aws_db_instance', values: { backup_retention_period: 0 } },
  },
  {
    promise: 'databases are reached by TLS alone',
    violations: wrong(
      'aws_db_parameter_group',
      ({ parameter }) =>
        !(parameter as { name: string; value: string }[]).some(
          ({ name, value }) => name === 'rds.force_ssl' && value === '1',
        ),
    ),
    breaks: { type: 'aws_db_parameter_group', values: { parameter: [] } },
  },
  ofEveryBucket(
    'aws_s3_bucket_public_access_block',
    'no bucket is public',
    (values) => publicBlocks.some((name) => values[name] !== true),
    { block_public_policy: false },
  ),
  ofEveryBucket(
    'aws_s3_bucket_versioning',
    'every bucket keeps what is replaced',
    (values) => inBlock(values, 'versioning_configuration', 'status') !== 'Enabled',
    { versioning_configuration: [{ status: 'Suspended' }] },
  ),
  ofEveryBucket(
    'aws_s3_bucket_server_side_encryption_configuration',
    'every bucket is encrypted with a key',
    (values) =>
      inBlock(values, 'rule', 'apply_server_side_encryption_by_default', 'sse_algorithm') !==
      'aws:kms',
    { rule: [{ apply_server_side_encryption_by_default: [{ sse_algorithm: 'AES256' }] }] },
  ),
  ofEveryBucket(
    'aws_s3_bucket_policy',
    'every bucket is reached by TLS alone',
    ({ policy }) =>
      typeof policy === 'string' &&
      !statementsOf(policy).some(
        ({ Effect, Condition }) =>
          Effect === 'Deny' && inBlock(Condition, 'Bool', 'aws:SecureTransport') === 'false',
      ),
    { policy: JSON.stringify({ Statement: [] }) },
  ),
  flag('aws_kms_key', 'enable_key_rotation', true, 'keys turn by themselves'),
  keyed('aws_cloudwatch_log_group', 'kms_key_id'),
  keyed('aws_secretsmanager_secret', 'kms_key_id'),
  keyed('aws_sns_topic', 'kms_master_key_id'),
  keyed('aws_db_instance', 'kms_key_id'),
  keyed('aws_prometheus_workspace', 'kms_key_arn'),
  {
    promise: 'no secret is in the state',
    violations: wrong(
      'aws_secretsmanager_secret_version',
      ({ secret_string: text, secret_binary: bytes }) => Boolean(text) || Boolean(bytes),
    ),
    breaks: { type: 'aws_secretsmanager_secret_version', values: { secret_string: 'known' } },
  },
  flag('aws_ecr_repository', 'image_tag_mutability', 'IMMUTABLE', 'images are never replaced'),
  {
    promise: 'a rollout that fails goes back by itself',
    violations: wrong(
      'aws_ecs_service',
      ({ deployment_circuit_breaker: breaker }) =>
        inBlock(breaker, 'enable') !== true || inBlock(breaker, 'rollback') !== true,
    ),
    breaks: {
      type: 'aws_ecs_service',
      values: { deployment_circuit_breaker: [{ enable: true, rollback: false }] },
    },
  },
  {
    promise: 'tasks have no public address',
    violations: wrong(
      'aws_ecs_service',
      ({ network_configuration: network }) => inBlock(network, 'assign_public_ip') !== false,
    ),
    breaks: {
      type: 'aws_ecs_service',
      values: { network_configuration: [{ assign_public_ip: true }] },
    },
  },
  ofContainers('images are named by digest', ({ image }) => !image.includes('@sha256:'), {
    ...closed,
    image: 'registry.test/image:latest',
  }),
  ofContainers(
    'containers write to no image, and keep no capability',
    ({ readonlyRootFilesystem, linuxParameters }) =>
      readonlyRootFilesystem !== true ||
      linuxParameters?.capabilities?.drop?.includes('ALL') !== true,
    { ...closed, readonlyRootFilesystem: false },
  ),
  ofContainers(
    'programs are not root',
    ({ name, user }) => name !== 'prepare' && (user === undefined || /^(0|root)\b/.test(user)),
    { ...closed, user: '0' },
  ),
  ofContainers(
    'environments hold no secret',
    ({ environment = [] }) =>
      environment.some(
        ({ name, value }) =>
          (/PASSWORD|SECRET|TOKEN|_KEY$/.test(name) && !name.endsWith('_FILE')) ||
          /:\/\/[^/]*:[^/]*@/.test(value),
      ),
    { ...closed, environment: [{ name: 'DATABASE_URL', value: 'postgresql://me:known@host/db' }] },
  ),
  {
    promise: 'no role may do everything to everything',
    violations: wrong(
      'aws_iam_role_policy',
      ({ policy }) =>
        typeof policy === 'string' &&
        statementsOf(policy).some(
          ({ Effect, Action, Resource }) =>
            Effect === 'Allow' &&
            ([Action].flat().some((action) => /(^|:)\*$/.test(action ?? '*')) ||
              ([Resource].flat().includes('*') &&
                ![Action].flat().every((action) => onAll.has(action ?? '*')))),
        ),
    ),
    breaks: {
      type: 'aws_iam_role_policy',
      values: {
        policy: JSON.stringify({
          Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
        }),
      },
    },
  },
]

/** Holds where an environment must not go away by a mistake. */
export const protection: readonly Policy[] = [
  flag('aws_db_instance', 'deletion_protection', true, 'the database is not deleted'),
  flag('aws_db_instance', 'multi_az', true, 'the database is in two zones'),
  flag('aws_lb', 'enable_deletion_protection', true, 'the load balancer is not deleted'),
]

/** IAM knows no narrower resource for these. */
const onAll = new Set(['ecr:GetAuthorizationToken', 'aps:ListWorkspaces'])

export interface Statement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action?: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly Condition?: unknown
}

export const statementsOf = (policy: string): readonly Statement[] =>
  (JSON.parse(policy) as { Statement: readonly Statement[] }).Statement
