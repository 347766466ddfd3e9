// Which topics does Kafka Connect copy into the warehouse, and into which tables?
import { schemaText, type RecordName } from '@churnstream/schemas'
import { topics, type Topic } from './topics.ts'

export interface WarehouseTable {
  readonly name: string
  readonly topic: Topic
  readonly holds: string
  /** Columns that tell its rows apart. */
  readonly key: readonly string[]
  /** The record's own key, as this column: a tombstone deletes the row. Else nothing is deleted. */
  readonly keyColumn?: string
}

/** Of Kafka Connect: its own topics, its groups and its dead letters all begin so. */
export const connectPrefix = 'connect-'
/** The schema of the tables, and the database and role that it is in. */
export const warehouse = 'warehouse'

export const warehouseTables = {
  scoreHistory: {
    name: 'score_history',
    topic: topics.churnScores,
    holds: 'every score, once for each cause and player',
    key: ['cause_topic', 'cause_partition', 'cause_offset', 'player_id'],
  },
  playerScores: {
    name: 'player_scores',
    topic: topics.churnScores,
    holds: 'the newest score of each player',
    key: ['player_id'],
    keyColumn: 'player_id',
  },
  modelHistory: {
    name: 'model_history',
    topic: topics.registryEvents,
    holds: 'every version that an alias ever named',
    key: ['model_name', 'alias', 'epoch'],
  },
  modelAliases: {
    name: 'model_aliases',
    topic: topics.registryEvents,
    holds: 'the version that each alias names now',
    key: ['alias_key'],
    keyColumn: 'alias_key',
  },
} as const satisfies Record<string, WarehouseTable>

/** Where a record stands in its topic. */
const place = { partition: 'record_partition', offset: 'record_offset' } as const

/** A connector's consumer group is named so by Connect: connect-<connector>. */
export const connectorName = ({ name }: Pick<WarehouseTable, 'name'>): string =>
  `${warehouse}-${name.replaceAll('_', '-')}`

export const connectGroupOf = (table: Pick<WarehouseTable, 'name'>): string =>
  `${connectPrefix}${connectorName(table)}`

/** In Connect's own form: original bytes, headers __connect.errors.*. */
export const connectorDeadLetters = (table: Pick<WarehouseTable, 'name'>): string =>
  `${connectPrefix}${connectorName(table)}-dead-letters`

export const connectStorage = {
  config: `${connectPrefix}configs`,
  offset: `${connectPrefix}offsets`,
  status: `${connectPrefix}status`,
} as const

interface Column {
  readonly field: string
  readonly name: string
}

/** A row is flat: fields that hold records or lists are left out. */
function fieldsOf(record: RecordName): { flat: Column[]; nested: string[] } {
  const { fields } = JSON.parse(schemaText(record)) as { fields: { name: string; type: unknown }[] }
  const isFlat = (type: unknown): boolean => {
    if (Array.isArray(type)) return type.every(isFlat)
    if (typeof type === 'string') return true
    const { type: inner, ...rest } = type as { type: unknown }
    return isFlat(inner) && !('items' in rest) && !('fields' in rest)
  }
  return {
    flat: fields
      .filter(({ type }) => isFlat(type))
      .map(({ name: field }) => ({ field, name: toSnakeCase(field) })),
    nested: fields.filter(({ type }) => !isFlat(type)).map(({ name }) => name),
  }
}

const toSnakeCase = (field: string): string =>
  field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What Connect writes; `stored_at` the database adds. */
export function columnsOf({ topic, keyColumn }: WarehouseTable): string[] {
  const names = fieldsOf(topic.record).flat.map(({ name }) => name)
  return [
    ...new Set([
      ...(keyColumn === undefined ? [] : [keyColumn]),
      ...names,
      ...Object.values(place),
    ]),
  ]
}

/** Of what makes the tables and keeps the connectors running; it reads and writes no topic itself. */
export const warehousePort = 8086

/** The folder that Connect reads passwords from, one file each, and the file of this one. */
export const connectSecrets = { folder: '/run/secrets', warehousePassword: 'warehouse-password' }

/** What Iceberg's tasks and their coordinator tell each other. */
export const icebergControlTopic = `${connectPrefix}${warehouse}-iceberg-control`

/** How late Iceberg's first commit may be. Each start answers once more what was asked in it. */
const icebergLookBack = 'PT6H'

/** The table in S3, each record once. */
const icebergTable = {
  name: 'iceberg',
  topic: topics.churnScores,
} as const

/** Of the bucket; what lies in it belongs to Iceberg's catalogue. */
export const icebergFolder = 'iceberg'

/** Up to where the sink has read its topic, and its coordinator has committed what was written. */
export const icebergGroups = {
  sink: { group: connectGroupOf(icebergTable), topic: icebergTable.topic.name },
  coordinator: { group: `${connectGroupOf(icebergTable)}-coord`, topic: icebergControlTopic },
} as const

export interface Connector {
  readonly name: string
  readonly fills: string
  readonly deadLetters: string
  readonly settings: Readonly<Record<string, string>>
}

/** Everything that is the same wherever it runs; `${env:…}` is the worker's environment. */
export function warehouseConnectors(): Connector[] {
  const tables: readonly WarehouseTable[] = Object.values(warehouseTables)
  return [
    ...tables.map((table) => ({
      name: connectorName(table),
      fills: `${warehouse}.${table.name}`,
      deadLetters: connectorDeadLetters(table),
      settings: jdbcSettings(table),
    })),
    {
      name: connectorName(icebergTable),
      fills: `${warehouse}.score_history in S3`,
      deadLetters: connectorDeadLetters(icebergTable),
      settings: icebergSettings(),
    },
  ]
}

function icebergSettings(): Record<string, string> {
  return {
    'connector.class': 'org.apache.iceberg.connect.IcebergSinkConnector',
    // Each task writes files of its own, and both would set up the catalogue.
    'tasks.max': '1',
    ...readingOf(icebergTable.topic, []),
    ...deadLettersOf(icebergTable),
    'iceberg.tables': `${warehouse}.score_history`,
    'iceberg.tables.auto-create-enabled': 'true',
    // Else its manifests name players, the first and the last of each file.
    'iceberg.tables.auto-create-props.write.metadata.metrics.column.player_id': 'none',
    'iceberg.tables.evolve-schema-enabled': 'true',
    'iceberg.tables.default-partition-by': 'month(as_of)',
    'iceberg.control.topic': icebergControlTopic,
    'iceberg.control.group-id-prefix': `${icebergControlTopic}-`,
    'iceberg.coordinator.transactional.prefix': connectPrefix,
    // A commit is a file of metadata and at least one of data.
    'iceberg.control.commit.interval-ms': '${env:WAREHOUSE_COMMIT_INTERVAL_MS}',
    'iceberg.kafka.bootstrap.servers': '${env:KAFKA_BOOTSTRAP_SERVERS}',
    'iceberg.kafka.session.timeout.ms': '10000',
    // From the newest, a coordinator that has never committed would not see which files were written
    // before it started, and their rows would be lost. See docs/decisions/0120.
    'iceberg.kafka.auto.offset.reset': `by_duration:${icebergLookBack}`,
    // While the control topic has no record so young, it is asked again only after this.
    'iceberg.kafka.request.timeout.ms': '10000',
    'iceberg.catalog': warehouse,
    'iceberg.catalog.catalog-impl': 'org.apache.iceberg.jdbc.JdbcCatalog',
    'iceberg.catalog.jdbc.schema-version': 'V1',
    // A commit that waits for an answer for ever holds up all others, and fails nothing.
    'iceberg.catalog.uri': '${env:WAREHOUSE_JDBC_URL}&socketTimeout=60',
    'iceberg.catalog.jdbc.user': '${env:WAREHOUSE_USER}',
    'iceberg.catalog.jdbc.password': passwordReference,
    'iceberg.catalog.warehouse': '${env:WAREHOUSE_S3_LOCATION}',
    'iceberg.catalog.io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
    // Keys and region come from the usual AWS variables.
    'iceberg.catalog.s3.endpoint': '${env:WAREHOUSE_S3_ENDPOINT}',
    'iceberg.catalog.s3.path-style-access': 'true',
    'iceberg.catalog.http-client.type': 'urlconnection',
  }
}

const passwordReference = `\${directory:${connectSecrets.folder}:${connectSecrets.warehousePassword}}`

/** How records are read and become flat, with columns in snake case. */
function readingOf(topic: Topic, before: readonly string[]): Record<string, string> {
  const { flat, nested } = fieldsOf(topic.record)
  const renamed = flat.filter(({ field, name }) => field !== name)
  return {
    topics: topic.name,
    // Transactions that were aborted never happened.
    'consumer.override.isolation.level': 'read_committed',
    // A worker that was killed is missed sooner.
    'consumer.override.session.timeout.ms': '10000',
    'consumer.override.max.poll.records': '2000',

    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'churnstream.connect.PatientAvroConverter',
    'value.converter.apicurio.registry.url': '${env:APICURIO_REGISTRY_URL}',
    'value.converter.apicurio.registry.id-handler':
      'io.apicurio.registry.serde.Legacy4ByteIdHandler',
    'value.converter.apicurio.registry.use-id': 'contentId',
    'value.converter.apicurio.registry.headers.enabled': 'false',

    transforms: [...before, 'columns', 'place'].join(','),
    'transforms.columns.type': 'org.apache.kafka.connect.transforms.ReplaceField$Value',
    'transforms.columns.renames': renamed.map(({ field, name }) => `${field}:${name}`).join(','),
    ...(nested.length === 0 ? {} : { 'transforms.columns.exclude': nested.join(',') }),
    'transforms.place.type': 'org.apache.kafka.connect.transforms.InsertField$Value',
    'transforms.place.partition.field': place.partition,
    'transforms.place.offset.field': place.offset,
  }
}

function deadLettersOf(table: Pick<WarehouseTable, 'name'>): Record<string, string> {
  return {
    'errors.tolerance': 'all',
    // What PatientAvroConverter calls retriable is repeated for as long as it takes.
    'errors.retry.timeout': '-1',
    'errors.retry.delay.max.ms': '3000',
    'errors.deadletterqueue.topic.name': connectorDeadLetters(table),
    'errors.deadletterqueue.topic.replication.factor': '-1',
    'errors.deadletterqueue.context.headers.enable': 'true',
    'errors.log.enable': 'true',
    'errors.log.include.messages': 'false',
  }
}

function jdbcSettings(table: WarehouseTable): Record<string, string> {
  const { keyColumn } = table
  return {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': String(Math.min(2, table.topic.partitions)),
    ...readingOf(table.topic, keyColumn === undefined ? [] : ['key']),
    ...(keyColumn === undefined
      ? {}
      : {
          // A bare string as the key ends the task.
          'transforms.key.type': 'org.apache.kafka.connect.transforms.HoistField$Key',
          'transforms.key.field': keyColumn,
        }),

    'connection.url': `\${env:WAREHOUSE_JDBC_URL}&socketTimeout=60&reWriteBatchedInserts=${String(keyColumn === undefined)}`,
    'connection.username': '${env:WAREHOUSE_USER}',
    'connection.password': passwordReference,
    'collection.name.format': `${warehouse}.${table.name}`,
    'insert.mode': 'upsert',
    'primary.key.mode': keyColumn === undefined ? 'record_value' : 'record_key',
    'primary.key.fields': table.key.join(','),
    'delete.enabled': String(keyColumn !== undefined),
    // Tables come from our migrations; a field that a newer schema adds becomes a column.
    'schema.evolution': 'basic',
    'use.time.zone': 'UTC',
    'batch.size': '1000',
    // Many rows in one statement, in which none may stand twice. Where a row is replaced, each record
    // must come before the trigger instead, which keeps the newest.
    'use.reduction.buffer': String(keyColumn === undefined),

    // A database that is away is waited for half a minute in the task, which may hold a connection that
    // is broken for good; then the task fails, and the keeper starts it anew as often as it takes.
    'flush.max.retries': '15',
    'flush.retry.delay.ms': '2000',
    'connection.restart.on.errors': 'true',

    ...deadLettersOf(table),
  }
}

/** Of a worker, wherever it runs. The place of its plugins is no variable: Connect reads it as it is. */
export const workerSettings: Readonly<Record<string, string>> = {
  'bootstrap.servers': '${env:KAFKA_BOOTSTRAP_SERVERS}',
  'group.id': `${connectPrefix}workers`,
  'config.storage.topic': connectStorage.config,
  'offset.storage.topic': connectStorage.offset,
  'offset.storage.partitions': '1',
  'status.storage.topic': connectStorage.status,
  'status.storage.partitions': '1',
  // As many as the brokers hold of any topic.
  'config.storage.replication.factor': '-1',
  'offset.storage.replication.factor': '-1',
  'status.storage.replication.factor': '-1',
  'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
  'value.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
  // Where nothing comes in, Iceberg's task looks this often for what its coordinator asks.
  'offset.flush.interval.ms': '1000',
  // By manifests alone: to look into every class takes many seconds of each start.
  'plugin.discovery': 'service_load',
  listeners: '${env:CONNECT_LISTENERS}',
  'rest.advertised.host.name': '${env:CONNECT_ADVERTISED_HOST}',
  'config.providers': 'env,directory',
  'config.providers.env.class': 'org.apache.kafka.common.config.provider.EnvVarConfigProvider',
  'config.providers.env.param.allowlist.pattern': '^(APICURIO|CONNECT|KAFKA|WAREHOUSE)_[A-Z0-9_]+$',
  'config.providers.directory.class':
    'org.apache.kafka.common.config.provider.DirectoryConfigProvider',
  'config.providers.directory.param.allowed.paths': connectSecrets.folder,
}

/** The variables that worker and connectors read. */
export const connectVariables = [
  'APICURIO_REGISTRY_URL',
  'CONNECT_ADVERTISED_HOST',
  'CONNECT_LISTENERS',
  'KAFKA_BOOTSTRAP_SERVERS',
  'WAREHOUSE_COMMIT_INTERVAL_MS',
  'WAREHOUSE_JDBC_URL',
  'WAREHOUSE_S3_ENDPOINT',
  'WAREHOUSE_S3_LOCATION',
  'WAREHOUSE_USER',
] as const
