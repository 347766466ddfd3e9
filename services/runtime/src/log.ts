// How does a service say what happens?
import { pino, type Logger } from 'pino'

export type Log = Logger

/** JSON lines on stdout. Payloads stay out: topic, partition and offset are enough to find them. */
export function createLog(service: string, level: string): Log {
  return pino({ name: service, level, base: { service } })
}
