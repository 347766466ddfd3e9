// node images/make-secrets.ts: which passwords and keys does this installation of compose have?
import { makeApiKey } from '@churnstream/ingestion'
import { databases, makeClusterId, makeFernetKey } from '@churnstream/topology/local'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const secret = (): string => randomBytes(24).toString('hex')

/** By file name: every secret that docker-compose.yml reads, and the API key for its user. */
export function chooseSecrets(): Record<string, string> {
  const passwords = Object.fromEntries(databases.map((name) => [name, secret()]))
  const urlOf = (database: (typeof databases)[number]): string =>
    `postgresql://${database}:${passwords[database]}@postgres:5432/${database}`
  const s3 = { accessKeyId: randomBytes(10).toString('hex'), secretAccessKey: secret() }
  const { key, entry } = makeApiKey('compose', { eventsPerSecond: 5_000, burstEvents: 20_000 })
  const databaseLines = databases.flatMap((name) => [
    `CREATE ROLE ${name} LOGIN PASSWORD '${passwords[name]}';`,
    `CREATE DATABASE ${name} OWNER ${name};`,
  ])
  const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('')
  return {
    'api-key': lines(key),
    'api-keys.json': lines(JSON.stringify({ keys: [entry] })),
    'aws-credentials': lines(
      '[default]',
      `aws_access_key_id = ${s3.accessKeyId}`,
      `aws_secret_access_key = ${s3.secretAccessKey}`,
    ),
    'dagster-database-url': urlOf('dagster'),
    'database-url': urlOf('churnstream'),
    'databases.sql': lines(...databaseLines),
    'grafana-password': secret(),
    'kafka.env': lines(`CLUSTER_ID=${makeClusterId()}`),
    'mlflow-database-url': urlOf('mlflow'),
    'mlflow-webhook-key': makeFernetKey(),
    'postgres-password': secret(),
    'registry.properties': lines(`apicurio.datasource.password=${passwords['registry']}`),
    's3.env': lines(`ROOT_ACCESS_KEY=${s3.accessKeyId}`, `ROOT_SECRET_KEY=${s3.secretAccessKey}`),
    'warehouse-database-url': urlOf('warehouse'),
    'warehouse-password': passwords['warehouse'] as string,
    'webhook-secret': secret(),
  }
}

if (import.meta.main) {
  const folder = fileURLToPath(new URL('../.secrets', import.meta.url))
  if (existsSync(folder)) {
    console.error(`${folder} is there already: delete it, and the volumes, to choose anew`)
    process.exit(1)
  }
  mkdirSync(folder, { mode: 0o700 })
  for (const [name, text] of Object.entries(chooseSecrets())) {
    // Containers read them as another user; the folder keeps everybody else of this machine out.
    writeFileSync(join(folder, name), text, { mode: 0o644 })
  }
  console.log(`Secrets are in ${folder}; send events with the key in ${join(folder, 'api-key')}`)
}
