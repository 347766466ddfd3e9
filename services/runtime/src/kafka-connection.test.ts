// Is the cluster entered as the environment says, and never by less?
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { baseConfig, loadConfig, withSecrets } from './config.ts'
import { FatalError } from './errors.ts'
import { toKafkaConnection, toRegistryConnection } from './kafka-connection.ts'

const folder = mkdtempSync(join(tmpdir(), 'churnstream-connection-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const where = { KAFKA_BOOTSTRAP_SERVERS: 'a:1, b:2', SCHEMA_REGISTRY_URL: 'http://registry' }
const connectionOf = (env: Record<string, string>) =>
  toKafkaConnection(loadConfig(baseConfig, { ...where, ...env }))

test('toKafkaConnection - without more a cluster is entered in the clear', () => {
  assert.deepEqual(connectionOf({}), { brokers: ['a:1', 'b:2'] })
})

test('toKafkaConnection - the password and the authority come from files', () => {
  const connection = connectionOf({
    KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
    KAFKA_TLS_CA_FILE: file('ca.pem', 'an authority'),
    KAFKA_SASL_USERNAME: 'features',
    KAFKA_SASL_PASSWORD_FILE: file('password', 'a secret\n'),
  })
  assert.deepEqual(connection, {
    brokers: ['a:1', 'b:2'],
    tls: { ca: 'an authority' },
    sasl: { username: 'features', password: 'a secret' },
  })
})

test('toKafkaConnection - TLS alone trusts whom Node trusts', () => {
  assert.deepEqual(connectionOf({ KAFKA_SECURITY_PROTOCOL: 'SSL' }).tls, {})
})

test('toKafkaConnection - a role of AWS enters with tokens', () => {
  const role = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'AWS_MSK_IAM' }
  const { sasl } = connectionOf({ ...role, AWS_REGION: 'eu-west-1' })
  assert.ok(sasl && 'token' in sasl)
  assert.throws(() => connectionOf(role), /AWS_REGION/)
})

for (const [what, env, said] of [
  ['a user over PLAINTEXT', { KAFKA_SASL_USERNAME: 'features' }, /KAFKA_SECURITY_PROTOCOL/],
  ['no password', { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' }, /KAFKA_SASL_USERNAME/],
  [
    'an authority that is not there',
    { KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_TLS_CA_FILE: join(folder, 'none') },
    /KAFKA_TLS_CA_FILE: ENOENT/,
  ],
  ['passwords in the clear', { KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT' }, /SASL_SSL/],
] as const) {
  test(`toKafkaConnection - ${what} is refused`, () => {
    assert.throws(
      () => connectionOf(env),
      (error) => error instanceof FatalError && said.test(error.message),
    )
  })
}

test('toRegistryConnection - a user has a password', () => {
  const env = { ...where, SCHEMA_REGISTRY_USERNAME: 'me', SCHEMA_REGISTRY_PASSWORD: 'secret' }
  assert.deepEqual(toRegistryConnection(loadConfig(baseConfig, env)), {
    url: 'http://registry',
    auth: { username: 'me', password: 'secret' },
  })
})

test('withSecrets - a secret stands in one place, and its file can be read', () => {
  const both = { DATABASE_URL: 'postgresql://a', DATABASE_URL_FILE: file('url', 'postgresql://b') }
  assert.throws(() => withSecrets(both), /DATABASE_URL and DATABASE_URL_FILE are both set/)
  assert.throws(
    () => withSecrets({ DATABASE_URL_FILE: join(folder, 'none') }),
    /DATABASE_URL_FILE: ENOENT/,
  )
})
