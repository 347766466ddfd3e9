// What do the replicas' sums say, together, of a challenger beside its champion?
import type { LoadReport } from '@churnstream/schemas'

/** Sums of one replica since it loaded the challenger. */
export interface ShadowSums {
  readonly rows: number
  readonly sameBand: number
  readonly sumDifference: number
  readonly sumAbsoluteDifference: number
  readonly shadowMicroseconds: number
  readonly championMicroseconds: number
  readonly skippedRows: number
  /** Milliseconds since 1970. */
  readonly reportedAt: number
}

/** One challenger in one epoch: loading it again begins new sums, and the old ones stand. */
export interface Trial {
  readonly modelName: string
  readonly modelVersion: string
  readonly epoch: number
  /** By replica and the instant it loaded the challenger. */
  readonly sums: ReadonlyMap<string, ShadowSums>
}

/** Per row, over all replicas. */
export interface ShadowFigures {
  readonly epoch: number
  readonly rows: number
  readonly skippedRows: number
  /** Share of rows in the same band. */
  readonly agreement: number
  /** Mean of shadow less champion. */
  readonly scoreShift: number
  readonly meanAbsoluteDifference: number
  readonly shadowMicrosecondsPerRow: number
  readonly championMicrosecondsPerRow: number
  /** Milliseconds since 1970: the newest report among them. */
  readonly updatedAt: number
}

export const trialKey = ({ modelName, loadedVersion, loadedEpoch }: LoadReport): string =>
  `${modelName} ${loadedVersion} ${loadedEpoch}`

/** Adds a challenger's report to its trial; undefined when it holds no sums. */
export function addReport(trial: Trial | undefined, report: LoadReport): Trial | undefined {
  const { modelName, alias, loadedVersion, loadedEpoch, loadedAt, shadowFigures } = report
  if (alias !== 'challenger' || loadedVersion === null || shadowFigures.length === 0) return trial
  const of = (wanted: string): number =>
    shadowFigures.find(({ name }) => name === wanted)?.value ?? 0
  const sums: ShadowSums = {
    rows: of('rows'),
    sameBand: of('sameBand'),
    sumDifference: of('sumDifference'),
    sumAbsoluteDifference: of('sumAbsoluteDifference'),
    shadowMicroseconds: of('shadowMicroseconds'),
    championMicroseconds: of('championMicroseconds'),
    skippedRows: of('skippedRows'),
    reportedAt: report.reportedAt,
  }
  return {
    modelName,
    modelVersion: loadedVersion,
    epoch: loadedEpoch,
    sums: new Map([...(trial?.sums ?? []), [`${report.replica} ${loadedAt}`, sums]]),
  }
}

/** undefined until a row was scored by both, or when the sums are no numbers. */
export function figuresOf({ epoch, sums }: Trial): ShadowFigures | undefined {
  const all = [...sums.values()]
  const total = (of: keyof ShadowSums): number => all.reduce((sum, one) => sum + one[of], 0)
  const rows = total('rows')
  if (!(rows > 0)) return undefined
  const figures: ShadowFigures = {
    epoch,
    rows,
    skippedRows: total('skippedRows'),
    agreement: total('sameBand') / rows,
    scoreShift: total('sumDifference') / rows,
    meanAbsoluteDifference: total('sumAbsoluteDifference') / rows,
    shadowMicrosecondsPerRow: total('shadowMicroseconds') / rows,
    championMicrosecondsPerRow: total('championMicroseconds') / rows,
    updatedAt: Math.max(...all.map(({ reportedAt }) => reportedAt)),
  }
  return Object.values(figures).every(Number.isFinite) ? figures : undefined
}
