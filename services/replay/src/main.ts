// npm run replay: activity is folded again into scores, vectors or labelled rows.
import { runCommand } from '@churnstream/batch'
import { parseArguments, usage } from './arguments.ts'
import { connect } from './connect.ts'
import { replayLabels } from './labels.ts'
import { replayScores } from './scores.ts'
import { report, toText } from './summary.ts'
import { replayVectors } from './vectors.ts'

await runCommand('replay', async ({ pipes, signal, onProgress }) => {
  const asked = parseArguments(process.argv.slice(2))
  if (asked === undefined) {
    console.log(usage)
    return
  }
  await using connection = connect(process.env, asked.dataDir)
  const world = { connection, signal, onProgress }
  const summary =
    asked.verb === 'scores'
      ? await replayScores(asked, world)
      : asked.verb === 'vectors'
        ? await replayVectors(asked, world)
        : await replayLabels(asked, world)
  report(pipes, summary)
  console.log(asked.json ? JSON.stringify(summary) : toText(summary))
})
