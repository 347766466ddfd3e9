// How does Prometheus run, with our rules, over services on this machine?
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from './context.ts'
import { findPrometheus, repositoryDir } from './places.mjs'
import type { ServerSpec } from './server.ts'

const answerTimeoutMs = 2_000
/** Often, because a person watches a demo for minutes; its data is small. */
const interval = '2s'

export const rulesFile = join(repositoryDir, 'observability', 'prometheus', 'rules.yml')

/** @throws Error that says why there is none and what to do */
export async function prometheusSpec(context: Context): Promise<ServerSpec> {
  const { dataDir, ports, scrapes } = context
  const { prometheus, missing } = await findPrometheus()
  if (missing !== undefined) throw new Error(`Prometheus can not be started: ${missing}`)
  const dir = join(dataDir.path, 'prometheus')
  const file = join(dir, 'prometheus.json')
  mkdirSync(dir, { recursive: true })
  const config = {
    global: { scrape_interval: interval, evaluation_interval: interval },
    rule_files: [rulesFile],
    scrape_configs: Object.entries(scrapes).map(([job, target]) => ({
      job_name: job,
      static_configs: [{ targets: [target] }],
    })),
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config, null, 2))
  const at = `127.0.0.1:${ports.prometheus}`
  return {
    name: 'prometheus',
    command: prometheus,
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${at}`,
      '--enable-feature=exemplar-storage',
    ],
    cwd: dir,
    logFile: join(dataDir.path, 'logs', 'prometheus.log'),
    port: ports.prometheus,
    async answers() {
      const signal = AbortSignal.timeout(answerTimeoutMs)
      return (await fetch(`http://${at}/-/ready`, { signal })).ok
    },
  }
}
