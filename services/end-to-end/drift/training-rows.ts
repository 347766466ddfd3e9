// What does the history before the drift teach? Its labelled rows, by the code that serves.
import { catalogue } from '@churnstream/schemas'
import { PartitionState, dayOf, type Vector } from '@churnstream/features'
import { chanceOf } from '@churnstream/monitor'
import { simulate } from '@churnstream/simulator'
import { liveFrom, trainFrom, worldOf } from './world.ts'

const columns = catalogue.map(({ name }) => name)

/** CSV as the training reads it: of each labelled player-day one vector, drawn evenly. */
export function* trainingRows(): Generator<string> {
  yield ['player_id', 'as_of', ...columns, 'churned'].join(',')
  const state = new PartitionState()
  const chosen = new Map<string, { vector: Vector; chance: number }>()
  let offset = 0
  for (const step of simulate(worldOf())) {
    if (step.deliverAt >= liveFrom) return
    const result =
      'event' in step ? state.onActivity(step.event, offset) : state.onClock(step.clockAt, offset)
    const causeOffset = offset++
    if (typeof result === 'string') continue
    for (const { playerId, asOfDay, churned } of result.outcomes) {
      const key = `${playerId} ${asOfDay}`
      const row = chosen.get(key)
      if (row === undefined) continue
      chosen.delete(key)
      const { vector } = row
      const values = columns.map((name) => vector.features[name] ?? '')
      yield [playerId, vector.asOf, ...values, churned ? 1 : 0].join(',')
    }
    for (const vector of result.vectors) {
      if (vector.asOf < trainFrom) continue
      const { playerId } = vector
      const key = `${playerId} ${dayOf(vector.asOf)}`
      const chance = chanceOf({ playerId, causeTopic: '', causePartition: 0, causeOffset })
      if (!((chosen.get(key)?.chance ?? Infinity) <= chance)) chosen.set(key, { vector, chance })
    }
  }
}
