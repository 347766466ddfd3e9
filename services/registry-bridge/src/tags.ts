// How do verdicts and figures get onto a model version in MLflow?
import { maxDetailLength, versionTags } from './contract.ts'
import { isOutweighed, type Verdict } from './core/verdicts.ts'
import type { ShadowFigures } from './core/shadow.ts'
import { MlflowRefused, type Mlflow, type ModelVersion } from './mlflow.ts'

export const unreadableReason = 'artifact-unreadable'

/** Writes what differs from what MLflow has, and remembers it. What Mlflow throws passes. */
export interface Tagger {
  verdict(verdict: Verdict): Promise<void>
  /** The bridge's own verdict: the folder can't be announced. */
  unreadable(modelName: string, modelVersion: string, problem: string): Promise<void>
  /** The tag and, where the version has a run, metrics on it. */
  shadow(modelName: string, modelVersion: string, figures: ShadowFigures): Promise<void>
}

export function createTagger(options: {
  readonly mlflow: Mlflow
  /** Name and version of this service. */
  readonly by: string
  readonly now: () => number
  /** Figures that MLflow takes as a tag but not as metrics, for example of a deleted run. */
  readonly onMetricsRefused: (error: MlflowRefused) => void
}): Tagger {
  const { mlflow, by, now } = options
  /** The newest verdict that MLflow is known to have, or to need no more. */
  const settled = new Map<string, string>()

  async function write(found: ModelVersion, wanted: Record<string, string>): Promise<void> {
    const different = Object.entries(wanted).filter(([key, value]) => found.tags[key] !== value)
    if (different.length > 0) {
      await mlflow.setVersionTags(found.name, found.version, Object.fromEntries(different))
    }
  }

  async function settle(
    modelName: string,
    modelVersion: string,
    verdict: object,
    work: (found: ModelVersion) => Promise<void>,
  ): Promise<void> {
    const key = `${modelName} ${modelVersion}`
    const text = JSON.stringify(verdict)
    if (settled.get(key) === text) return
    const found = await mlflow.version(modelName, modelVersion)
    // A deleted version: nobody is left to tell.
    if (found !== undefined) await work(found)
    settled.set(key, text)
  }

  return {
    verdict: (verdict) =>
      settle(verdict.modelName, verdict.modelVersion, verdict, async (found) => {
        const { tags } = found
        // The folder can be read again, or this verdict would not be asked for.
        const ours = tags[versionTags.verdictReason] === unreadableReason
        const at = Date.parse(tags[versionTags.verdictAt] ?? '')
        const tagged = {
          verdict: ours ? undefined : tags[versionTags.verdict],
          at: ours || Number.isNaN(at) ? undefined : at,
        }
        if (isOutweighed(tagged, verdict)) return
        await write(found, toTags(verdict, `${verdict.replica} ${verdict.scorerVersion}`))
      }),

    unreadable: (modelName, modelVersion, problem) =>
      settle(modelName, modelVersion, { problem }, async (found) => {
        const detail = problem.slice(0, maxDetailLength)
        const { [versionTags.verdictReason]: reason, [versionTags.verdictDetail]: known } =
          found.tags
        if (reason === unreadableReason && known === detail) return
        const verdict = 'refused' as const
        await write(
          found,
          toTags({ verdict, reason: unreadableReason, detail, at: now(), figures: {} }, by),
        )
      }),

    async shadow(modelName, modelVersion, figures) {
      const found = await mlflow.version(modelName, modelVersion)
      if (found === undefined) return
      const { updatedAt } = figures
      const tag = { ...figures, updatedAt: new Date(updatedAt).toISOString() }
      await write(found, { [versionTags.shadow]: JSON.stringify(tag) })
      if (found.runId === undefined) return
      const metrics = {
        shadow_agreement: figures.agreement,
        shadow_score_shift: figures.scoreShift,
        shadow_mean_absolute_difference: figures.meanAbsoluteDifference,
        shadow_microseconds_per_row: figures.shadowMicrosecondsPerRow,
        champion_microseconds_per_row: figures.championMicrosecondsPerRow,
        shadow_rows: figures.rows,
      }
      try {
        // The instant of the report, not ours: written twice, it is the same point.
        const at = { modelId: found.modelId, step: Math.round(figures.rows), atMs: updatedAt }
        await mlflow.logMetrics(found.runId, metrics, at)
      } catch (error) {
        if (!(error instanceof MlflowRefused)) throw error
        options.onMetricsRefused(error)
      }
    },
  }
}

/** The verdict last: who reads it finds its reason already there. */
function toTags(
  of: Pick<Verdict, 'verdict' | 'reason' | 'detail' | 'at' | 'figures'>,
  by: string,
): Record<string, string> {
  return {
    [versionTags.verdictReason]: of.reason,
    [versionTags.verdictDetail]: of.detail.slice(0, maxDetailLength),
    [versionTags.verdictAt]: new Date(of.at).toISOString(),
    [versionTags.verdictBy]: by,
    [versionTags.verdictFigures]: JSON.stringify(of.figures),
    [versionTags.verdict]: of.verdict,
  }
}
