// npm run bench -- monitor: what does watching the model cost beside scoring with it?
import { watchedPartitions } from '@churnstream/monitor'
import { Schemas } from '@churnstream/schemas'
import { simulate } from '@churnstream/simulator'
import { services, topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import { openActivityWriter } from '../pipeline/activity.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { progressOf } from '../pipeline/progress.ts'
import { firstEvents } from '../pipeline/steps.ts'
import { startBreakable } from './breakable.ts'
import { metricsPage, totalOf } from './metrics-page.ts'

const eventsPerSecond = 5_000
const warmUpSeconds = 45
const measuredSeconds = 60
const ticksPerSecond = 10
const patienceMs = 120_000
const dayMs = 86_400_000
const measured = ['features', 'scorer', 'monitor'] as const
const watchedShares = [1, 0.05, 0.01]

/**
 * Event time goes faster than ours, and no less happens in a player's day: what the monitor does for
 * an event is what it does in production.
 */
export async function benchMonitor(options: {
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Record<string, number | string>> {
  const { dataDir, signal, onProgress } = options
  const started = await startBreakable({
    dataDir,
    modelSize: 'demo',
    services: ['features', 'scorer', 'registryBridge', 'monitor'],
    signal,
    onProgress,
  })
  await using pipeline = started.pipeline
  const { running } = started
  const writer = await openActivityWriter(
    pipeline.kafka,
    new Schemas({ url: pipeline.stack.registry.url }),
  )
  const endAt = Date.UTC(2026, 5, 1)
  const startAt = endAt - 120 * dayMs
  const steps = simulate({ seed: 7, players: 20_000, startAt, endAt, signUpDays: 5 })
  const play = async (seconds: number): Promise<number> => {
    const startedAt = performance.now()
    let events = 0
    for (let tick = 1; tick <= seconds * ticksPerSecond; tick++) {
      events += await writer.write(firstEvents(steps, eventsPerSecond / ticksPerSecond))
      const dueAt = startedAt + (tick * 1000) / ticksPerSecond
      await delay(Math.max(0, dueAt - performance.now()), undefined, { signal: running })
    }
    return events / ((performance.now() - startedAt) / 1000)
  }
  const figures: Record<string, number | string> = {}
  for (const share of watchedShares) {
    await pipeline.process('monitor').stop()
    await pipeline.restart('monitor', { WATCHED_SHARE: String(share) })
    onProgress(`warming up for ${warmUpSeconds} s, ${100 * share} % of the players watched`)
    await play(warmUpSeconds)
    await untilCaughtUp(pipeline, share, running)
    const before = await processorSeconds(pipeline)
    onProgress(`measuring for ${measuredSeconds} s`)
    const rate = await play(measuredSeconds)
    await untilCaughtUp(pipeline, share, running)
    const after = await processorSeconds(pipeline)

    const took = (id: (typeof measured)[number]) => after[id] - before[id]
    const of = `watching ${100 * share} % of the players`
    figures[`${of}: events a second`] = Math.round(rate)
    for (const id of measured) {
      const perMillion = (took(id) * 1e6) / (rate * measuredSeconds)
      figures[`${of}: ${id}, processor seconds per million events`] = round(perMillion)
    }
    figures[`${of}: monitor / scorer, %`] = round((100 * took('monitor')) / took('scorer'))
  }
  await writer.close()
  return figures
}

const round = (value: number): number => Math.round(value * 10) / 10

/** Of each process since it started, as it says itself. */
async function processorSeconds(
  pipeline: Pipeline,
): Promise<Record<(typeof measured)[number], number>> {
  const seconds = measured.map(async (id) => {
    const page = await metricsPage(pipeline.urls[id])
    return [id, totalOf(page, 'process_cpu_seconds_total')] as const
  })
  return Object.fromEntries(await Promise.all(seconds)) as never
}

/** All that was sent has passed features, the scorer and the monitor. */
async function untilCaughtUp(
  { kafka }: Pipeline,
  share: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  const all = topics.playerActivity.partitions
  const stages = [
    [services.features, topics.playerActivity, all],
    [services.scorer, topics.featureVectors, all],
    [services.monitor, topics.churnScores, watchedPartitions(share)],
  ] as const
  for (const [service, topic, partitions] of stages) {
    for (let partition = 0; partition < partitions; partition++) {
      while ((await progressOf(kafka, service, topic, partition)).isLeft) {
        if (performance.now() > deadline) throw new Error(`${service.name} does not catch up`)
        await delay(200, undefined, { signal })
      }
    }
  }
}
