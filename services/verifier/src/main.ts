// npm run verify: has every acknowledged event exactly one visible outcome?
import { messageOf } from '@churnstream/runtime'
import { noStack, runningVariables, usualDataDir } from '@churnstream/topology/local'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { reportText } from './report.ts'
import { verifyRunning } from './running.ts'

const usage = `npm run verify -- [--ledger FILE] [--sample 400] [--json] [--data-dir FOLDER]

Reads the topics of a running installation with librdkafka, read_committed, folds the events again,
and compares: no event lost or counted twice, order per player, features, labels and state equal to
the fold, dead letters byte for byte, one model version for each epoch, no transaction left open,
PostgreSQL equal to the topic, and a sample of scores computed again by the models they name.
Exits 1 at any breach. Records that a service has not come to yet are in flight, not lost.

  --ledger FILE      ids that were acknowledged, one a line (JSON with eventId, or the id itself)
  --sample 400       scores to compute again
  --json             everything as JSON
  --data-dir FOLDER  where the running demo keeps its data (.data)

The stack is the one in the environment (KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL, DATABASE_URL,
MLFLOW_TRACKING_URI, S3_ENDPOINT, AWS_…), or a demo that runs.`

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`verify: ${messageOf(error)}`)
  process.exitCode = 1
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      ledger: { type: 'string' },
      sample: { type: 'string', default: '400' },
      json: { type: 'boolean', default: false },
      'data-dir': { type: 'string', default: usualDataDir },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  const sample = Number(values.sample)
  if (!Number.isInteger(sample) || sample < 0) {
    throw new Error(`--sample takes a whole number, not ${values.sample}`)
  }
  const variables = runningVariables(process.env, values['data-dir'])
  if (variables === undefined) throw new Error(noStack(values['data-dir']))
  const verified = await verifyRunning({
    variables,
    acknowledged: values.ledger === undefined ? undefined : readLedger(values.ledger),
    sample,
    onProgress: (line) => console.error(line),
  })
  console.log(values.json ? JSON.stringify(verified, null, 2) : reportText(verified))
  return verified.breaches.length === 0 ? 0 : 1
}

function readLedger(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line, index) => {
    if (!line.startsWith('{')) return line
    const { eventId } = JSON.parse(line) as { eventId?: unknown }
    if (typeof eventId === 'string') return eventId
    throw new Error(`${file}: line ${index + 1} has no eventId`)
  })
}
