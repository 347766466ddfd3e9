// The scorer: feature-vectors in, churn-scores out, with the models that MLflow's aliases name.
import { loadConfig, openService, run, runMain } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { config } from './config.ts'
import { openScorer } from './open.ts'

await runMain(async () => {
  const env = loadConfig(config, process.env)
  await using service = await openService(services.scorer.name, env)
  const scorer = await openScorer({ ...service, env })
  if (scorer === undefined) return
  await scorer.ready
  if (!service.signal.aborted) await run({ ...service, ...scorer.stage })
  await scorer.close()
})
