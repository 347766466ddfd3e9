// npm run replay: activity is folded again into scores, vectors or labelled rows.
import { exitCodeOf, exitCodes, openPipes, textOf } from '@churnstream/batch'
import { TransientError, shutdownSignal } from '@churnstream/runtime'
import { parseArguments, usage, type Arguments } from './arguments.ts'
import { connect, type Connection } from './connect.ts'
import { replayLabels, type LabelsSummary } from './labels.ts'
import { replayScores, type ScoresSummary } from './scores.ts'
import { summaryText } from './summary.ts'
import { replayVectors, type VectorsSummary } from './vectors.ts'

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`replay: ${textOf(error)}`)
  process.exitCode = exitCodeOf(error)
}

async function main(): Promise<number> {
  const asked = parseArguments(process.argv.slice(2))
  if (asked === undefined) {
    console.log(usage)
    return exitCodes.done
  }
  const pipes = openPipes(process.env)
  try {
    await using connection = connect(process.env, asked.dataDir)
    const summary = await replay(asked, connection, (line) => {
      console.error(line)
      pipes.log(line)
    })
    pipes.reportCustomMessage(summary)
    pipes.close()
    console.log(asked.json ? JSON.stringify(summary) : summaryText(summary))
    return exitCodes.done
  } catch (error) {
    pipes.close(error)
    throw error
  }
}

type Summary = ScoresSummary | VectorsSummary | LabelsSummary

function replay(
  asked: Arguments,
  connection: Connection,
  onProgress: (line: string) => void,
): Promise<Summary> {
  const signal = stopped()
  switch (asked.verb) {
    case 'scores':
      return replayScores(asked, connection, signal, onProgress)
    case 'vectors':
      return replayVectors(asked, connection, signal, onProgress)
    default:
      return replayLabels(asked, connection, signal, onProgress)
  }
}

/** Whoever is stopped may be started again. */
function stopped(): AbortSignal {
  const stopping = new AbortController()
  const signal = shutdownSignal()
  signal.addEventListener('abort', () => {
    const reason = `stopped by ${String(signal.reason)}: the same command goes on or begins again`
    stopping.abort(new TransientError(reason))
  })
  return stopping.signal
}
