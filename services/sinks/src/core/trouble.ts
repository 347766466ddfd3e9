// Whom does an error of the database concern: the row, the world or us?

export type Trouble = 'data' | 'transient' | 'fatal'

/** SQLSTATE classes and codes that time mends. */
const transient = [
  '08', // connection exception
  '40', // serialization failure, deadlock
  '53', // disk full, out of memory, too many connections
  '57', // admin shutdown, crash shutdown, cannot connect now, statement timeout
  '58', // an error of the operating system
  '55P03', // lock not available
  '25P03', // idle in a transaction for too long: we stood still
  '25006', // read only: the primary went elsewhere
]

const networkCodes =
  /^(ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN)/
// The client has words and no code for a connection that ended or did not come about.
const connectionWords = /connection (terminated|error|ended)|timeout|not queryable/i

export function troubleOf(error: unknown): Trouble {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string') {
    if (networkCodes.test(code)) return 'transient'
    if (/^[0-9A-Z]{5}$/.test(code)) {
      if (/^2[23]/.test(code)) return 'data'
      return transient.some((start) => code.startsWith(start)) ? 'transient' : 'fatal'
    }
  }
  if (!(error instanceof TypeError || error instanceof RangeError)) {
    if (typeof message === 'string' && connectionWords.test(message)) return 'transient'
  }
  return 'fatal'
}
