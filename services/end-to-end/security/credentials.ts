// With what does each principal come in?
import type { KafkaConnection } from '@churnstream/runtime'
import { principals } from '@churnstream/topology'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Credentials {
  /** By principal. */
  readonly passwords: Readonly<Record<string, string>>
  /** What a program needs in its environment; the password stands in a file. */
  variables(principal: string): Record<string, string>
  connection(principal: string): KafkaConnection
}

export function makeCredentials(folder: string, port: number, caFile: string): Credentials {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const passwords = Object.fromEntries(
    principals().map(({ name }) => [name, randomBytes(18).toString('hex')]),
  )
  for (const [name, password] of Object.entries(passwords)) {
    writeFileSync(join(folder, name), `${password}\n`, { mode: 0o600 })
  }
  const server = `127.0.0.1:${port}`
  return {
    passwords,
    variables: (principal) => ({
      KAFKA_BOOTSTRAP_SERVERS: server,
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_TLS_CA_FILE: caFile,
      KAFKA_SASL_USERNAME: principal,
      KAFKA_SASL_PASSWORD_FILE: join(folder, principal),
    }),
    connection: (principal) => ({
      brokers: [server],
      tls: { ca: readFileSync(caFile, 'utf8') },
      sasl: { username: principal, password: passwords[principal] as string },
    }),
  }
}
