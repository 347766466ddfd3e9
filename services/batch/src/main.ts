// npm run score: files of rows in, scores out.
import { parseScore, scoreUsage } from './arguments.ts'
import { runCommand } from './command.ts'
import type { Summary } from './core/summary.ts'
import { openInstallation } from './installation.ts'
import type { Pipes } from './pipes.ts'
import { scoreSource } from './score.ts'

await runCommand('score', async ({ pipes, signal, onProgress }) => {
  const command = parseScore(process.argv.slice(2))
  if (command === 'help') {
    console.log(scoreUsage)
    return
  }
  await using installation = openInstallation(process.env, command.dataDir)
  const summary = await scoreSource({ ...command, installation, signal, onProgress })
  report(pipes, summary)
  console.log(command.isJson ? JSON.stringify(summary) : toText(summary, command.rejects))
})

function report(pipes: Pipes, summary: Summary): void {
  pipes.reportCustomMessage({ score: summary })
  if (pipes.context?.asset_keys?.length !== 1) return
  const { model, rowsIn, scored, rejected, rejects, score, seconds } = summary
  pipes.reportAssetMaterialization({
    metadata: {
      model: `${model.name} ${model.version}`,
      target: summary.target,
      batchId: summary.batchId,
      rowsIn,
      scored,
      rejected,
      rejects: { raw_value: rejects, type: 'json' },
      meanScore: score.mean,
      seconds,
    },
    dataVersion: summary.outputSha256,
  })
}

function toText(summary: Summary, rejectsFile: string): string {
  const { model, rowsIn, scored, rejected, rejects, score, seconds, target, batchId } = summary
  const reasons = Object.entries(rejects).map(([reason, count]) => `${count} ${reason}`)
  const where = target === 'postgres' ? `batch ${batchId} of PostgreSQL` : target
  const lines = [
    `${scored} of ${rowsIn} rows scored with version ${model.version} of ${model.name} in ${seconds} s: ${where}`,
    `mean score ${score.mean.toFixed(4)}`,
  ]
  if (rejected > 0) lines.push(`${rejected} rejected (${reasons.join(', ')}): ${rejectsFile}`)
  if (target === 'postgres') lines.push(`npm run publish-scores -- ${batchId}`)
  return lines.join('\n')
}
