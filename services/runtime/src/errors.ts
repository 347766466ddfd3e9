// What kinds of trouble are there, and who must act?

/**
 * The world is away: a broker, registry, database or store does not answer. Thrown at the I/O edge;
 * the loop waits and does the same record again. Anything else that is thrown ends the process.
 */
export class TransientError extends Error {
  override name = 'TransientError'
  readonly retryAfterMs: number | undefined
  constructor(message: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** The group is rebalancing: give the batch back, it comes again to whoever owns the partition. */
export class RebalanceError extends Error {
  override name = 'RebalanceError'
}

/** Nothing here can go on: bad configuration, no permission, a topic that does not exist. */
export class FatalError extends Error {
  override name = 'FatalError'
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`
}

/** The broker refuses a producer because another one has taken its transactional id over. */
export function isFenced(error: unknown): boolean {
  const { type, message, cause } = (error ?? {}) as Error & { type?: string }
  if (type !== undefined && /^(INVALID_PRODUCER_EPOCH|PRODUCER_FENCED)$/.test(type)) return true
  return cause === undefined ? /\bis fenced\b/.test(message ?? '') : isFenced(cause)
}
