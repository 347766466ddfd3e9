// How does a player become somebody whom only we can name?
import { FatalError, readSecretFile } from '@churnstream/runtime'
import { createHmac } from 'node:crypto'

export type ToPseudonym = (playerId: string) => string

const keyMinChars = 32

/**
 * HMAC-SHA256 under the text of the file, in hex. The same player has the same pseudonym for as long
 * as the key is the same: it is never rotated, or everybody's history begins anew.
 * @throws FatalError when the file can't be read or the key is short enough to be guessed
 */
export function openPseudonyms(keyFile: string): ToPseudonym {
  const key = readSecretFile('PLAYER_ID_KEY_FILE', keyFile)
  if (key.length < keyMinChars) {
    throw new FatalError(`PLAYER_ID_KEY_FILE: a key has ${keyMinChars} characters or more`)
  }
  return (playerId) => createHmac('sha256', key).update(playerId).digest('hex')
}
