// Who calls, and what may they send?
import { FatalError, messageOf, readNamedFile, type Log } from '@churnstream/runtime'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { KeyRate } from './core/key-rate.ts'

const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
const entry = z.strictObject({
  id,
  /** Of the secret, in hex. The secret is 32 random bytes, so nothing slower is needed. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Events of others are refused; absent: all. */
  markets: z.array(z.string().min(1)).min(1).optional(),
  eventsPerSecond: z.number().positive().default(5_000),
  burstEvents: z.number().int().positive().default(20_000),
})
const keyFile = z.strictObject({ keys: z.array(entry).min(1) })

export type KeyEntry = z.input<typeof entry>

export interface Caller {
  readonly id: string
  readonly rate: KeyRate
  mayWrite(market: string): boolean
}

export interface ApiKeys {
  /** Of an `authorization` header; undefined: nobody we know. */
  identify(header: string | undefined): Caller | undefined
}

export interface ApiKeyFile extends ApiKeys, Disposable {
  /** Reads the file again. What can't be used leaves the keys as they were. */
  reload(): void
}

/** A new key: what its owner sends, and what the file holds of it. */
export function makeApiKey(
  keyId: string,
  rest: Omit<KeyEntry, 'id' | 'sha256'> = {},
): { readonly key: string; readonly entry: KeyEntry } {
  const secret = randomBytes(32).toString('base64url')
  const sha256 = digest(secret).toString('hex')
  return { key: `${id.parse(keyId)}.${secret}`, entry: { id: keyId, sha256, ...rest } }
}

/**
 * A file of keys that is read again at every interval, so that one is added or taken away without a
 * restart. @throws FatalError when it can't be used at the start
 */
export function openApiKeys(options: {
  readonly file: string
  readonly reloadMs: number
  readonly log: Log
}): ApiKeyFile {
  const { file, log } = options
  let text = readNamedFile('API_KEYS_FILE', file)
  let keys = parseKeys(text)
  const timer = setInterval(reload, options.reloadMs).unref()

  function reload(): void {
    try {
      const now = readNamedFile('API_KEYS_FILE', file)
      if (now === text) return
      keys = parseKeys(now)
      text = now
      log.info({ keys: [...keys.keys()] }, 'API keys were read again')
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'the API keys stay as they were')
    }
  }

  return {
    identify(header) {
      const [, keyId = '', secret = ''] = /^Bearer ([^.\s]+)\.(\S+)$/i.exec(header ?? '') ?? []
      const found = keys.get(keyId)
      // Also for an unknown id, so that the time to answer tells nothing of who is known.
      const isRight = timingSafeEqual(digest(secret), found?.digest ?? nobody)
      return isRight ? found?.caller : undefined
    },
    reload,
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** Equal to no digest, as far as anybody knows. */
const nobody = Buffer.alloc(32)

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest()

interface Known {
  readonly digest: Buffer
  readonly caller: Caller
}

function parseKeys(text: string): ReadonlyMap<string, Known> {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new FatalError('API_KEYS_FILE holds no JSON')
  }
  const parsed = keyFile.safeParse(document)
  if (!parsed.success) throw new FatalError(`API_KEYS_FILE:\n${z.prettifyError(parsed.error)}`)
  const known = new Map(parsed.data.keys.map((key) => [key.id, toKnown(key)]))
  if (known.size < parsed.data.keys.length) throw new FatalError('API_KEYS_FILE has an id twice')
  return known
}

function toKnown(key: z.output<typeof entry>): Known {
  const { eventsPerSecond, burstEvents } = key
  const markets = key.markets && new Set(key.markets)
  return {
    digest: Buffer.from(key.sha256, 'hex'),
    caller: {
      id: key.id,
      rate: { eventsPerSecond, burstEvents },
      mayWrite: (market) => markets?.has(market) ?? true,
    },
  }
}
