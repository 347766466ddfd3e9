// Is this folder ours to keep the servers' data in, and which secrets were chosen for it?
import { randomBytes, randomUUID } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isAlive } from './family.ts'

const stampName = 'churnstream-stack.json'
const lockName = 'churnstream-stack.pid'

/** Raised when a change makes data of before unreadable: another Kafka, PostgreSQL or layout. */
const layoutVersion = 2

export interface DataDir {
  path: string
  /** Chosen once per folder and kept in it: none is in the repository, and two stacks differ. */
  secrets: Secrets
  /** For the next stack, once nothing runs on the folder any more. */
  release(): void
}

export interface Secrets {
  layoutVersion: number
  kafkaClusterId: string
  postgresPassword: string
  s3AccessKeyId: string
  s3SecretAccessKey: string
  /** Encrypts the webhooks' secrets in MLflow's database. */
  mlflowWebhookKey: string
  /** Signs what MLflow sends to the registry bridge. */
  mlflowWebhookSecret: string
}

export function openDataDir(dataDir: string): DataDir {
  const path = resolve(dataDir)
  const stamp = join(path, stampName)
  try {
    mkdirSync(path, { recursive: true })
    accessSync(path, constants.W_OK)
  } catch (cause) {
    throw new Error(`The data folder ${path} cannot be written. Choose another folder.`, { cause })
  }
  if (!existsSync(stamp)) {
    const found = readdirSync(path)
    if (found.length > 0) {
      throw new Error(
        `The data folder ${path} holds something else (${found.slice(0, 3).join(', ')}) and no ` +
          `${stampName}. Choose an empty or a new folder.`,
      )
    }
    writeWhole(stamp, JSON.stringify(chooseSecrets(), null, 2))
  }
  const secrets = readStamp(stamp)
  if (secrets.layoutVersion !== layoutVersion) {
    throw new Error(
      `The data folder ${path} was written by another version (${secrets.layoutVersion}, this one ` +
        `is ${layoutVersion}). Delete the folder to start afresh, or choose another.`,
    )
  }
  lock(path)
  return { path, secrets, release: () => rmSync(join(path, lockName), { force: true }) }
}

/** Two brokers on one folder would destroy it. A lock whose owner is gone is taken over. */
export function lock(path: string) {
  const file = join(path, lockName)
  const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined
  if (owner && owner !== process.pid && isAlive(owner)) {
    throw new Error(
      `The folder ${path} is used by the process ${owner}. End it, or choose another folder. ` +
        `If that process is no stack, delete ${file}.`,
    )
  }
  writeWhole(file, String(process.pid))
}

function chooseSecrets(): Secrets {
  return {
    layoutVersion,
    kafkaClusterId: makeClusterId(),
    postgresPassword: randomBytes(18).toString('hex'),
    s3AccessKeyId: randomBytes(10).toString('hex'),
    s3SecretAccessKey: randomBytes(20).toString('hex'),
    mlflowWebhookKey: makeFernetKey(),
    mlflowWebhookSecret: randomBytes(32).toString('hex'),
  }
}

/** Of Kafka, whose tools would take a leading dash for an option. */
export const makeClusterId = (): string =>
  Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url').replace(/^-/, 'A')

/** Url-safe base64 with its padding. */
export const makeFernetKey = (): string =>
  randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_')

function readStamp(stamp: string): Secrets {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8')) as Secrets
  } catch (cause) {
    throw new Error(`${stamp} cannot be read. Delete its folder to start afresh.`, { cause })
  }
}

function writeWhole(file: string, text: string) {
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
