// npm run publish-scores: a loaded batch becomes what its slot shows.
import { parsePublish, publishUsage } from './arguments.ts'
import { publishBatch } from './batches.ts'
import { runCommand } from './command.ts'
import { openInstallation } from './installation.ts'

await runCommand('publish-scores', async ({ pipes }) => {
  const command = parsePublish(process.argv.slice(2))
  if (command === 'help') {
    console.log(publishUsage)
    return
  }
  await using installation = openInstallation(process.env, command.dataDir)
  const published = await publishBatch(installation.database(), command.batchId)
  pipes.reportCustomMessage({ published })
  const { slot, batchId, previousBatchId, rows } = published
  const before = previousBatchId === null ? 'nothing' : `batch ${previousBatchId}`
  const text = `${slot} shows batch ${batchId} now: ${rows} rows, instead of ${before}`
  console.log(command.isJson ? JSON.stringify(published) : text)
})
