// What happened in the circle, step by step, when by either clock, and what shows it?
import { renderTable } from '@churnstream/command-line'
import { dayMs, liveFrom } from './world.ts'

export interface Happened {
  readonly what: string
  /** Event time. */
  readonly eventAt: number
  readonly evidence: Readonly<Record<string, unknown>>
}

export interface StepReport {
  readonly step: string
  readonly what: string
  readonly eventAt: string
  /** Since the live stream began. */
  readonly simulatedDay: number
  /** Since the command. */
  readonly wallSeconds: number
  readonly evidence: Readonly<Record<string, unknown>>
}

export interface CircleReport {
  readonly isClosed: boolean
  /** The step that did not happen. */
  readonly missing: string | null
  readonly why: string | null
  readonly steps: readonly StepReport[]
}

export interface Log {
  /** Does or awaits a step, and puts down what happened. */
  step<T extends Happened>(name: string, happen: () => Promise<T> | T): Promise<T>
  /** Of a step that did not happen, or of the circle as it is closed. */
  report(error?: Error): CircleReport
}

export function openLog(secondsNow: () => number, onProgress: (line: string) => void): Log {
  const steps: StepReport[] = []
  let current = ''
  return {
    async step(name, happen) {
      current = name
      const happened = await happen()
      const { what, eventAt, evidence } = happened
      const simulatedDay = round((eventAt - liveFrom) / dayMs)
      const wallSeconds = round(secondsNow())
      const eventTime = new Date(eventAt).toISOString()
      steps.push({ step: name, what, eventAt: eventTime, simulatedDay, wallSeconds, evidence })
      onProgress(`day ${simulatedDay}: ${name}: ${what}`)
      return happened
    },
    report: (error) => ({
      isClosed: error === undefined,
      missing: error === undefined ? null : current,
      why: error?.message ?? null,
      steps,
    }),
  }
}

export const renderReport = ({ steps }: CircleReport): string =>
  renderTable(
    ['day', 'wall', 'step', 'what happened'],
    steps.map(({ simulatedDay, wallSeconds, step, what }) => [
      simulatedDay.toFixed(0),
      `${wallSeconds.toFixed(0)} s`,
      step,
      what,
    ]),
  )

const round = (value: number): number => Math.round(value * 10) / 10
