// With which token does a role of AWS enter Amazon's Kafka, and until when is it good?
import { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { TransientError } from '../errors.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

export interface TokenOptions {
  readonly region: string
  readonly credentials: () => Promise<AwsCredentials>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly waitMs?: number
}

const signedForSeconds = 900
/** Well below what it is signed for, so that what is shown to a broker lasts for a while yet. */
const usedForMs = 9 * 60_000
/** A token that ends sooner is not shown any more. */
const marginMs = 30_000
const answerMs = 30_000

/**
 * The same token for as long as it, what it is signed with, and nine minutes last; then another one.
 * Callers at the same time share one. @throws TransientError when no credentials come within 30 s
 */
export function createMskTokens(options: TokenOptions): () => Promise<string> {
  const { region, credentials, now, waitMs = answerMs } = options
  let held: { readonly token: string; readonly endsAt: number } | undefined
  let making: Promise<string> | undefined

  async function make(): Promise<string> {
    const found = await within(waitMs, credentials())
    const signedAt = now()
    const token = await sign(region, found, new Date(signedAt))
    const ends = [signedAt + usedForMs, signedAt + signedForSeconds * 1000]
    if (found.expiration !== undefined) ends.push(found.expiration.getTime())
    held = { token, endsAt: Math.min(...ends) }
    return token
  }

  return () => {
    if (held !== undefined && now() < held.endsAt - marginMs) return Promise.resolve(held.token)
    making ??= make().finally(() => (making = undefined))
    return making
  }
}

/** A signed address, as MSK takes it for a token of OAUTHBEARER. */
async function sign(region: string, credentials: AwsCredentials, at: Date): Promise<string> {
  const hostname = `kafka.${region}.amazonaws.com`
  const signer = new SignatureV4({ credentials, region, service: 'kafka-cluster', sha256: Sha256 })
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname,
    path: '/',
    headers: { host: hostname },
    query: { Action: 'kafka-cluster:Connect' },
  }
  const { query = {} } = await signer.presign(request, {
    expiresIn: signedForSeconds,
    signingDate: at,
  })
  // Not a part of what is signed: it only tells AWS who asks.
  const all = Object.entries({ ...query, 'User-Agent': 'churnstream' })
  const text = all.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  return Buffer.from(`https://${hostname}/?${text}`).toString('base64url')
}

class Sha256 {
  readonly #secret: string | Uint8Array | undefined
  #hash: Hash | Hmac

  constructor(secret?: string | Uint8Array | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret as string | Uint8Array | undefined
    this.#hash = this.#begin()
  }
  #begin(): Hash | Hmac {
    const secret = this.#secret
    return secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
  }
  update(data: string | Uint8Array | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(data as string | Uint8Array)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {
    this.#hash = this.#begin()
  }
}

async function within<T>(waitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${waitMs} ms`)), waitMs)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw new TransientError('asking for the credentials of AWS', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
