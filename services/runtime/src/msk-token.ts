// How does a process show Kafka on AWS which IAM role it has?
import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { createHash, createHmac } from 'node:crypto'

const service = 'kafka-cluster'
const validSeconds = 900

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Asks for a token whenever a connection is opened: roles change their keys every few hours. */
export function createMskTokens(
  region: string,
  credentials: () => Promise<Credentials> = defaultProvider(),
): () => Promise<{ value: string }> {
  return async () => ({ value: toMskToken(region, await credentials(), new Date()) })
}

/**
 * A request to connect, signed as a URL (AWS Signature Version 4) and never sent: MSK takes it, in
 * base64url, as the token of OAUTHBEARER.
 */
export function toMskToken(region: string, credentials: Credentials, at: Date): string {
  const host = `kafka.${region}.amazonaws.com`
  const time = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = [time.slice(0, 8), region, service, 'aws4_request']
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const query = Object.entries({
    Action: 'kafka-cluster:Connect',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': [accessKeyId, ...scope].join('/'),
    'X-Amz-Date': time,
    'X-Amz-Expires': String(validSeconds),
    ...(sessionToken === undefined ? {} : { 'X-Amz-Security-Token': sessionToken }),
    'X-Amz-SignedHeaders': 'host',
  })
    .map(([name, value]) => `${name}=${escape(value)}`)
    .join('&')
  const request = ['GET', '/', query, `host:${host}`, '', 'host', sha256('')].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(request)].join('\n')
  const key = scope.reduce<string | Buffer>(
    (key, part) => hmac(key, part),
    `AWS4${secretAccessKey}`,
  )
  const signature = hmac(key, text).toString('hex')
  const url = `https://${host}/?${query}&X-Amz-Signature=${signature}&User-Agent=churnstream`
  return Buffer.from(url).toString('base64url')
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest()

/** As AWS does, which leaves fewer characters as they are than a URI may hold. */
const escape = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
