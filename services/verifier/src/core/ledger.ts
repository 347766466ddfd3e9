// What became of each event that a load generator was told is accepted?
import { topics } from '@churnstream/topology'
import { place, type Breach } from './breach.ts'
import type { Fate } from './fold.ts'

/** Acknowledged events of a partition, and where each of them ended. */
export interface Balance {
  readonly partition: number
  acknowledged: number
  scored: number
  deadLettered: number
  skipped: number
  inFlight: number
  lost: number
}

export interface Found {
  readonly partition: number
  readonly offset: number
  readonly playerId: string
}

/**
 * Of the acknowledged ids. An id that a producer repeated has several records; one that is scored
 * settles it, the others are skipped as duplicates.
 */
export function checkLedger(
  acknowledged: Iterable<string>,
  found: ReadonlyMap<string, readonly Found[]>,
  fateOf: (found: Found) => Fate,
  isScored: (found: Found) => boolean,
): { balances: Balance[]; breaches: Breach[] } {
  const balances = new Map<number, Balance>()
  const breaches: Breach[] = []
  const balanceOf = (partition: number): Balance => {
    const balance = balances.get(partition) ?? {
      partition,
      acknowledged: 0,
      scored: 0,
      deadLettered: 0,
      skipped: 0,
      inFlight: 0,
      lost: 0,
    }
    balances.set(partition, balance)
    return balance
  }
  for (const eventId of acknowledged) {
    const records = found.get(eventId) ?? []
    const [first] = records
    if (first === undefined) {
      const where = topics.playerActivity.name
      breaches.push({ kind: 'lost', where, detail: 'acknowledged, and not in the topic', eventId })
      continue
    }
    const balance = balanceOf(first.partition)
    balance.acknowledged++
    const fates = records.map((record) => ({ record, fate: fateOf(record) }))
    const has = (kind: Fate['kind']): boolean => fates.some(({ fate }) => fate.kind === kind)
    if (fates.some(({ record }) => isScored(record))) balance.scored++
    else if (has('dead-letter')) balance.deadLettered++
    else if (has('in-flight') || has('vectors')) balance.inFlight++
    else if (fates.every(({ fate }) => fate.kind === 'skipped')) balance.skipped++
    else {
      balance.lost++
      const where = place(topics.playerActivity.name, first.partition, first.offset)
      breaches.push({ kind: 'lost', where, detail: 'no outcome anywhere', eventId })
    }
  }
  return {
    balances: [...balances.values()].sort((a, b) => a.partition - b.partition),
    breaches,
  }
}
