// How is simulated history folded like that of a topic?
import { clockEvent } from '@churnstream/ingestion'
import type { Step } from '@churnstream/replay'
import { simulate, type Simulation } from '@churnstream/simulator'

const dayMs = 86_400_000
const stepsPerBatch = 500

/** The steps of one partition that holds every player. */
export function* simulatedHistory(
  simulation: Simulation,
  onProgress: (line: string) => void,
): Generator<readonly Step[]> {
  const { startAt, endAt } = simulation
  const days = (endAt - startAt) / dayMs
  let steps: Step[] = []
  let offset = 0
  let nextReportDay = 0
  for (const step of simulate(simulation)) {
    steps.push({ offset: offset++, input: 'event' in step ? step.event : clockEvent(step.clockAt) })
    if (steps.length < stepsPerBatch) continue
    yield steps
    steps = []
    const day = Math.floor((step.deliverAt - startAt) / dayMs)
    if (day < nextReportDay) continue
    nextReportDay = day + Math.ceil(days / 4)
    onProgress(`replayed ${day} of ${days} days, ${offset} records`)
  }
  if (steps.length > 0) yield steps
}
