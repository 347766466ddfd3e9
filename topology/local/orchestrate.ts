// npm run orchestrate: Dagster beside a stack that runs, in the foreground.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dagsterVariables, startDagster } from './dagster.ts'
import { createOwner } from './owner.ts'
import { chooseDagsterPort } from './ports.ts'
import { noStack, runningVariables, usualDataDir } from './running.ts'

const usage = `npm run orchestrate -- [--data-dir FOLDER] [--free-ports]

Starts Dagster's page and its daemon beside the demo that runs, or beside the installation that the
environment names, until Ctrl-C. Nothing is scored before a schedule or a sensor is switched on in
the page, or a run is started there.

  --data-dir FOLDER  the demo's (.data)
  --free-ports       let the system choose the port of the page (13000)

Environment, when no demo runs: ${dagsterVariables.join(', ')},
S3_ENDPOINT, AWS_…; NOTIFY_WEBHOOK_URL hears of failed runs; more: services/orchestration/README.md`

const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string', default: usualDataDir },
    'free-ports': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else await orchestrate().catch(fail)

async function orchestrate(): Promise<void> {
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => ended.abort(new Error(`stopped by ${signal}`)))
  }
  const variables = runningVariables(process.env, values['data-dir'])
  if (!variables) throw new Error(noStack(values['data-dir']))
  const missing = dagsterVariables.filter((name) => !variables[name])
  if (missing.length > 0) throw new Error(`These variables are not set: ${missing.join(', ')}`)

  await using owner = createOwner()
  const port = await chooseDagsterPort(values['free-ports'] ? 'free' : 'usual')
  try {
    const { url } = await startDagster({
      owner,
      port,
      variables,
      signal: ended.signal,
      onProgress: (line) => console.log(line),
      onCrash(name, { exit, logTail }) {
        const how = exit.signal ?? `exit code ${exit.code}`
        console.error(`${name} ended by itself (${how}). Its log ends:\n${logTail}`)
        process.exitCode = 1
        ended.abort(new Error(`${name} ended`))
      },
    })
    const logs = join(variables['DAGSTER_HOME'] as string, 'logs')
    console.log(`\n  Dagster    ${url}\n  logs       ${logs}\n\nCtrl-C ends it.`)
    await new Promise((resolve) => ended.signal.addEventListener('abort', resolve))
  } catch (error) {
    if (!ended.signal.aborted) throw error
  }
  console.log('stopping')
}

function fail(error: Error) {
  console.error(error.message)
  process.exitCode = 1
}
