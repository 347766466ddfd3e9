// Which rows are of the life that a player wants forgotten?
import { topics } from '@churnstream/topology'
import { holds } from './without.ts'

/** Up to where a player's former life goes; no end to it while nothing was confirmed. */
export interface Life {
  readonly playerId: string
  /** Of player-activity. */
  readonly partition: number
  readonly untilOffset: number
  readonly requestedAt: number
}

/**
 * By what caused a row, or else by the instant that it is of.
 * @param row by column, in snake case; integers may be bigints, instants dates
 */
export function isOfFormerLife(row: Readonly<Record<string, unknown>>, life: Life): boolean {
  if (!holds(row, life.playerId)) return false
  const { cause_topic: topic, cause_partition: partition, cause_offset: offset, as_of: asOf } = row
  if (offset !== undefined) {
    const isOfNewLife =
      topic === topics.playerActivity.name &&
      Number(partition) === life.partition &&
      Number(offset) >= life.untilOffset
    return !isOfNewLife
  }
  return !(asOf instanceof Date) || asOf.getTime() <= life.requestedAt
}
