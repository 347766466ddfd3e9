// How does Dagster retrain where nobody promotes, and what does it tell of it?

/** A notice of an outcome, or of a run that failed; `text` says it to people. */
export interface Notice {
  readonly text: string
  /** What became of a request or of a trial. */
  readonly outcome?: string
  readonly model?: string
  readonly run?: string
  readonly version?: string
  readonly request?: { readonly id: string; readonly offset: number }
  /** Of a run that failed. */
  readonly job?: string
  readonly step?: string | null
  readonly reason?: string
  readonly will_retry?: boolean
}

/** Everything else as in production. */
export const retrainingByItself = (noticesUrl: string): Readonly<Record<string, string>> => ({
  NOTIFY_WEBHOOK_URL: noticesUrl,
  RETRAINING_PROMOTION: 'auto',
  STEP_RETRY_SECONDS: '2',
  // Of processor time; a busy machine makes it longer.
  TRIAL_MOST_MICROSECONDS_PER_ROW: '1000',
})

export interface RunFigures {
  readonly artifactLocation: string
  readonly metrics: ReadonlyMap<string, number>
}

/** What MLflow holds of a run. */
export async function figuresOf(mlflowUrl: string, runId: string): Promise<RunFigures> {
  const url = `${mlflowUrl}/api/2.0/mlflow/runs/get?run_id=${runId}`
  const answer = await fetch(url, { signal: AbortSignal.timeout(20_000) })
  if (!answer.ok) throw new Error(`MLflow answers ${answer.status} for run ${runId}`)
  const { run } = (await answer.json()) as {
    run: {
      info: { artifact_uri: string }
      data: { metrics: { key: string; value: number }[] }
    }
  }
  return {
    artifactLocation: run.info.artifact_uri,
    metrics: new Map(run.data.metrics.map(({ key, value }) => [key, value])),
  }
}
