// Does a delivery come from our MLflow, and lately?
import { createHmac, timingSafeEqual } from 'node:crypto'

export type DeliveryHeaders = Readonly<Record<string, string | string[] | undefined>>

export type Forgery =
  'missing-signature' | 'bad-signature' | 'too-old' | 'from-the-future' | 'malformed'

export interface SignatureRules {
  /** Any of them signs: the first is the current one, the others are on their way out. */
  readonly secrets: readonly string[]
  /** How far the timestamp may be from now, either way. */
  readonly windowMs: number
}

/** MLflow's `v1,<base64>` over `<delivery id>.<unix seconds>.<raw body>`. */
export function sign(secret: string, deliveryId: string, timestamp: string, body: Buffer): string {
  const hmac = createHmac('sha256', secret).update(`${deliveryId}.${timestamp}.`).update(body)
  return `v1,${hmac.digest('base64')}`
}

/** The delivery's id, or why it isn't believed. Nothing is parsed before the signature holds. */
export function verify(
  headers: DeliveryHeaders,
  body: Buffer,
  nowMs: number,
  { secrets, windowMs }: SignatureRules,
): { deliveryId: string } | { forgery: Forgery } {
  const deliveryId = headers['x-mlflow-delivery-id']
  const timestamp = headers['x-mlflow-timestamp']
  const signature = headers['x-mlflow-signature']
  if (
    typeof deliveryId !== 'string' ||
    typeof timestamp !== 'string' ||
    typeof signature !== 'string'
  ) {
    return { forgery: 'missing-signature' }
  }
  const given = Buffer.from(signature)
  const matches = (secret: string): boolean => {
    const wanted = Buffer.from(sign(secret, deliveryId, timestamp, body))
    return wanted.length === given.length && timingSafeEqual(wanted, given)
  }
  if (!secrets.some(matches)) return { forgery: 'bad-signature' }
  if (!/^\d{1,12}$/.test(timestamp)) return { forgery: 'malformed' }
  const ageMs = nowMs - Number(timestamp) * 1_000
  if (ageMs > windowMs) return { forgery: 'too-old' }
  if (ageMs < -windowMs) return { forgery: 'from-the-future' }
  return { deliveryId }
}
