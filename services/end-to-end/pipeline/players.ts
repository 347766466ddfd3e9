// How far are simulated players played, and no further than somebody wants?
import type { Kafka } from '@churnstream/runtime'
import type { Schemas } from '@churnstream/schemas'
import { simulate, type Simulation, type Step } from '@churnstream/simulator'
import { openActivityWriter } from './activity.ts'

export interface Players {
  /** Event time: what happened before this instant is written. */
  readonly playedUntil: number
  /** Acknowledged when it resolves. @throws RangeError when the simulation ends before */
  playUntil(at: number): Promise<void>
  close(): Promise<void>
}

/** They write to Kafka themselves: event time goes as fast as they are told. */
export async function openPlayers(
  kafka: Kafka,
  schemas: Schemas,
  simulation: Simulation,
): Promise<Players> {
  const writer = await openActivityWriter(kafka, schemas)
  const steps = simulate(simulation)
  let playedUntil = simulation.startAt
  let next = steps.next()
  function* before(at: number): Generator<Step> {
    while (next.done !== true && next.value.deliverAt < at) {
      yield next.value
      next = steps.next()
    }
  }
  return {
    get playedUntil() {
      return playedUntil
    },
    async playUntil(at) {
      if (at > simulation.endAt) throw new RangeError('the simulated days were too few')
      await writer.write(before(at))
      playedUntil = Math.max(playedUntil, at)
    },
    close: () => writer.close(),
  }
}
