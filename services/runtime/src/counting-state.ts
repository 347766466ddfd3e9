// What does a test of the loop keep as state? How many events each player had.
import assert from 'node:assert/strict'
import type { Topic } from '@churnstream/topology'
import type { ProcessorState } from './stage.ts'

export interface CountingState {
  readonly state: ProcessorState
  /** One event more of a player: how many there are now. */
  readonly count: (partition: number, playerId: string) => number
}

export function countingState(changelog: Topic): CountingState {
  const counts = new Map<number, Map<string, number>>()
  const changed = new Map<number, Set<string>>()
  return {
    count(partition, playerId) {
      const own = counts.get(partition)
      assert.ok(own, 'state is restored before records are processed')
      const count = (own.get(playerId) ?? 0) + 1
      own.set(playerId, count)
      changed.get(partition)?.add(playerId)
      return count
    },
    state: {
      changelog,
      async restore(partition, records) {
        const own = new Map<string, number>()
        for await (const batch of records) {
          for (const { key, value } of batch) own.set(String(key), Number(String(value)))
        }
        counts.set(partition, own)
        changed.set(partition, new Set())
        return own.size
      },
      changes(partition) {
        const ids = [...(changed.get(partition) ?? [])]
        changed.get(partition)?.clear()
        return ids.map((id) => ({
          topic: changelog.name,
          partition,
          key: id,
          value: Buffer.from(String(counts.get(partition)?.get(id))),
        }))
      },
      release: (partition) => void counts.delete(partition),
    },
  }
}
