// Which players are left alone, so that what becomes of them says whether scores were right?
import { createHash } from 'node:crypto'

export interface Control {
  /** Of all players; 1 where nothing is done upon a score. */
  readonly share: number
  /** Another salt draws another group. */
  readonly salt: string
}

/**
 * By the first 32 bits of SHA-256 over `salt:playerId`: whoever acts upon scores can say the same in any
 * language, and in SQL (docs/monitoring.md).
 */
export function isControl(playerId: string, { share, salt }: Control): boolean {
  if (share >= 1) return true
  const digest = createHash('sha256').update(`${salt}:${playerId}`).digest()
  return digest.readUInt32BE(0) < share * 2 ** 32
}
