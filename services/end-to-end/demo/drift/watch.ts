// What has become visible of the circle so far?
import type { MonitoringWindow, RetrainingRequest, Schemas } from '@churnstream/schemas'
import type { Kafka } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import { watchRecords } from '../../pipeline/records.ts'

export interface Requested {
  /** As Dagster names it. */
  readonly id: string
  readonly request: RetrainingRequest
}

export interface FirstScore {
  readonly partition: number
  readonly offset: bigint
  readonly asOf: number
  readonly epoch: number
}

export interface Watch {
  /** Of all players together, in the order of their judgement. */
  readonly windows: readonly MonitoringWindow[]
  readonly requests: readonly Requested[]
  /** UTC day up to which the monitor has judged: event time has come through everything before it. */
  readonly judgedDay: number
  /** By version, of those that began to score since the watch began. */
  readonly firstScores: ReadonlyMap<string, FirstScore>
  stop(): Promise<void>
}

export async function watchCircle(
  streams: { readonly kafka: Kafka; readonly schemas: Schemas },
  onFailure: (message: string) => void,
): Promise<Watch> {
  const windows: MonitoringWindow[] = []
  const requests: Requested[] = []
  const firstScores = new Map<string, FirstScore>()
  let judgedDay = -Infinity
  const options = { onFailure }
  const watching = [
    watchRecords(
      streams,
      topics.modelMonitoring,
      (window) => {
        if (window.market !== '*' || window.segment !== '*') return
        if (window.kind === 'quality') judgedDay = Math.max(judgedDay, window.toDay)
        else windows.push(window)
      },
      options,
    ),
    watchRecords(
      streams,
      topics.retrainingRequests,
      (request, { offset }) =>
        void requests.push({ id: `${offset}-${request.requestedAt}`, request }),
      options,
    ),
    watchRecords(
      streams,
      topics.churnScores,
      ({ modelVersion, modelEpoch: epoch, asOf }, { partition, offset }) => {
        if (!firstScores.has(modelVersion))
          firstScores.set(modelVersion, { partition, offset, asOf, epoch })
      },
      options,
    ),
  ]
  await Promise.all(watching.map(({ caughtUp }) => caughtUp))
  return {
    windows,
    requests,
    get judgedDay() {
      return judgedDay
    },
    firstScores,
    async stop() {
      await Promise.all(watching.map((one) => one.stop()))
    },
  }
}

export const figureOf = (window: MonitoringWindow, name: string) =>
  window.statistics.find((one) => one.name === name)
