// Which request does a record come from? W3C trace context, and of sampled requests alone.
import { randomBytes } from 'node:crypto'
import type { Headers } from './kafka.ts'

export interface TraceContext {
  /** 32 hexadecimal digits, the same from the request to the row. */
  readonly traceId: string
  /** 16 hexadecimal digits, of the work that what carries this came from. */
  readonly spanId: string
}

/** Of a record as of a request. A record without it belongs to no sampled request. */
export const traceHeader = 'traceparent'

const shape =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const sampledFlag = 1

/** Undefined when it is malformed, and then it counts as absent. */
export function parseTraceparent(
  text: string,
): { readonly context: TraceContext; readonly isSampled: boolean } | undefined {
  const [, version, traceId, spanId, flags, rest] = shape.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  // Later versions may say more behind it.
  if (version === '00' && rest !== undefined) return undefined
  const isSampled = (parseInt(flags, 16) & sampledFlag) === sampledFlag
  return { context: { traceId, spanId }, isSampled }
}

export const toTraceparent = ({ traceId, spanId }: TraceContext): string =>
  `00-${traceId}-${spanId}-01`

/** The context of a record of a sampled request. */
export function traceOf(headers: Headers): TraceContext | undefined {
  const header = headers[traceHeader] as Buffer | Buffer[] | undefined
  if (header === undefined) return undefined
  const parsed = Buffer.isBuffer(header) ? parseTraceparent(header.toString()) : undefined
  return parsed?.isSampled === true ? parsed.context : undefined
}

/** Work within the same trace. */
export const childOf = ({ traceId }: TraceContext): TraceContext => ({
  traceId,
  spanId: randomBytes(8).toString('hex'),
})

export const newTrace = (): TraceContext =>
  childOf({ traceId: randomBytes(16).toString('hex'), spanId: '' })
