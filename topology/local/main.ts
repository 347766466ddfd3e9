// Which command starts only the servers, for working on a service by hand?
import { parseArgs } from 'node:util'
import { join } from 'node:path'
import { startStack } from './index.ts'
import { repositoryDir } from './places.mjs'

const usage = `node topology/local/with-setup.mjs topology/local/main.ts [--free] [--data FOLDER]

Starts Kafka, the schema registry, PostgreSQL, S3 and MLflow, and runs them until Ctrl-C.
  --free         let the system choose ports that are free
  --data FOLDER  where the data is kept (.data)`

const { values } = parseArgs({
  options: {
    free: { type: 'boolean', default: false },
    data: { type: 'string', default: join(repositoryDir, '.data') },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else await runStack().catch(fail)

async function runStack(): Promise<void> {
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => ended.abort(new Error(`stopped by ${signal}`)))
  }
  await using stack = await startStack({
    dataDir: values.data,
    ports: values.free ? 'free' : 'usual',
    freePortsHint: '--free',
    signal: ended.signal,
    onProgress: (line) => console.log(line),
    onCrash(server, { exit, logTail }) {
      const how = exit.signal ?? `exit code ${exit.code}`
      console.error(`${server.name} ended by itself (${how}). Its log ends:\n${logTail}`)
      process.exitCode = 1
      ended.abort(new Error(`${server.name} ended`))
    },
  })
  const serving = { ...stack.pythonEnv, DATABASE_URL: stack.postgres.url('churnstream') }
  console.log(`
KAFKA_BOOTSTRAP_SERVERS=${stack.kafka.brokers.join(',')}
SCHEMA_REGISTRY_URL=${stack.registry.url}
${Object.entries(serving)
  .map(([name, value]) => `${name}=${value}`)
  .join('\n')}
S3_BUCKET=${stack.s3.bucket}
Python: ${stack.python}

Ctrl-C ends it. The data stays in ${stack.dataDir}`)
  await aborted(ended.signal)
  console.log('stopping')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
}

function fail(error: Error) {
  console.error(error.message)
  process.exitCode = 1
}
