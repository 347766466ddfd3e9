// npm run demo -- --scenario drift: does the circle of retraining close by itself?
import { createMlflow } from '@churnstream/registry-bridge'
import { Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { findPrometheus } from '@churnstream/topology/local'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../../pipeline/command.ts'
import { listenForNotices } from '../../pipeline/dagster-watch.ts'
import { startPipeline } from '../../pipeline/pipeline.ts'
import { openPlayers } from '../../pipeline/players.ts'
import { askBoards } from '../../pipeline/prometheus.ts'
import type { Notice } from '../../pipeline/retraining.ts'
import type { ScenarioOptions } from '../options.ts'
import { closeCircle } from './circle.ts'
import { openPace } from './pace.ts'
import { openLog, renderReport } from './report.ts'
import { watchCircle } from './watch.ts'
import { dagster, env, lesson, world } from './world.ts'

const modelCli = fileURLToPath(new URL('../../../model-cli/src/main.ts', import.meta.url))

export interface Run {
  readonly signal: AbortSignal
  readonly secondsNow: () => number
  readonly onProgress: (line: string) => void
  /** A server or a service ended by itself. */
  readonly onFailure: (message: string) => void
}

/** @throws Error that names the step which did not happen */
export async function runDriftScenario(options: ScenarioOptions, run: Run): Promise<void> {
  const { signal, secondsNow, onProgress, onFailure } = run
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'churnstream-drift-'))
  await using cleanUp = new AsyncDisposableStack()
  if (options.dataDir === undefined)
    cleanUp.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const notices = await listenForNotices<Notice>()
  cleanUp.defer(() => notices.close())
  const { missing } = await findPrometheus()
  const pipeline = cleanUp.use(
    await startPipeline({
      dataDir,
      ports: options.ports,
      modelSize: lesson,
      env,
      monitoring: missing === undefined,
      dagster: dagster(notices.url),
      signal,
      onProgress,
      onFailure,
    }),
  )
  const { kafka, stack } = pipeline
  const written = await kafka.endOffsets(topics.playerActivity.name)
  if (written.some((offset) => offset > 0n)) {
    throw new Error(`players have been here before: the scenario needs a new folder (--data)`)
  }
  onProgress(`MLflow ${stack.mlflow.url}, Dagster ${pipeline.dagster?.url}`)
  const schemas = new Schemas({ url: stack.registry.url })
  const watch = await watchCircle({ kafka, schemas }, onFailure)
  cleanUp.defer(() => watch.stop())
  const players = await openPlayers(kafka, schemas, world)
  cleanUp.defer(() => players.close())

  const log = openLog(secondsNow, onProgress)
  const check = () => {
    signal.throwIfAborted()
    const failed = notices.heard.find(({ job, will_retry }) => job && will_retry === false)
    if (failed !== undefined) throw new Error(failed.text)
  }
  let problem: Error | undefined
  try {
    await closeCircle({
      mlflow: createMlflow(stack.mlflow.url),
      mlflowUrl: stack.mlflow.url,
      watch,
      pace: openPace(players, watch, check),
      log,
      heard: notices.heard,
      async challenge(version) {
        const args = ['challenge', 'default', version, '--wait', '60s']
        const { code, stdout, stderr } = await runCommand(modelCli, args, dataDir)
        if (code !== 0) throw new Error(`npm run model -- ${args.join(' ')}: ${stdout}${stderr}`)
      },
    })
    if (missing === undefined) onProgress(await askBoards(stack.prometheus.url))
    else onProgress(`boards were not asked, there is no Prometheus: ${missing}`)
  } catch (error) {
    if (signal.aborted) throw error
    problem = error as Error
  }
  const report = log.report(problem)
  console.log(`\n${renderReport(report)}`)
  if (options.reportFile !== undefined) {
    writeFileSync(options.reportFile, `${JSON.stringify(report, null, 2)}\n`)
    console.log(`written to ${options.reportFile}`)
  }
  if (problem !== undefined) {
    const message = `the circle did not close, at the step "${report.missing}": ${problem.message}`
    throw new Error(message, { cause: problem })
  }
  console.log('\nthe circle is closed')
}
