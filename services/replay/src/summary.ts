// What does a replay say of itself in the end?
import type { Pipes } from '@churnstream/batch'
import type { LabelsSummary } from './labels.ts'
import type { ScoresSummary } from './scores.ts'
import type { VectorsSummary } from './vectors.ts'

export type Summary = ScoresSummary | VectorsSummary | LabelsSummary

/** To Dagster, where it listens; as figures of the asset where it asked for one. */
export function report(pipes: Pipes, summary: Summary): void {
  pipes.reportCustomMessage({ replay: summary })
  if (pipes.context?.asset_keys?.length !== 1) return
  const { target, seconds, recordsPerSecond } = summary
  pipes.reportAssetMaterialization({
    metadata: { target, seconds, recordsPerSecond, ...figuresOf(summary) },
  })
}

function figuresOf(summary: Summary): Record<string, string | number> {
  if ('total' in summary) {
    const { model, total } = summary
    const { records, vectors, scores, rejected } = total
    return { model: `${model.name} ${model.version}`, records, vectors, scores, rejected }
  }
  const { folded, rows } = summary
  return { records: folded.records, rows }
}

export function toText(summary: Summary): string {
  const { target, seconds, recordsPerSecond, left } = summary
  const figures = Object.entries(figuresOf(summary)).map(([name, value]) => `${name} ${value}`)
  const rejected = Object.entries(left.rejected).map(([reason, count]) => `${count} ${reason}`)
  const lines = [
    `${target}: ${figures.join(', ')}`,
    `in ${seconds} s, ${recordsPerSecond} records/s`,
  ]
  if (left.after > 0) lines.push(`${left.after} later events were left out`)
  if (rejected.length > 0) lines.push(`lines that are no events: ${rejected.join(', ')}`)
  if ('published' in summary && summary.published !== undefined) {
    const { slot, batchId, previousBatchId, rows } = summary.published
    lines.push(
      `${slot} shows batch ${batchId} of ${rows} rows; before: ${previousBatchId ?? 'none'}`,
    )
  }
  return lines.join('\n')
}
