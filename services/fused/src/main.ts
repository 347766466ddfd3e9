// Features and the scorer in one process: a vector is scored in the transaction that writes it.
import { openFeatures } from '@churnstream/features'
import { loadConfig, openService, run, runMain } from '@churnstream/runtime'
import { openScorer } from '@churnstream/scorer'
import { fused } from '@churnstream/topology'
import { config } from './config.ts'

await runMain(async () => {
  const env = loadConfig(config, process.env)
  await using service = await openService(fused.name, env)
  const features = await openFeatures(service)
  if (features === undefined) return
  const scorer = await openScorer({ ...service, env })
  if (scorer === undefined) return
  await scorer.ready
  if (!service.signal.aborted) {
    await run({ ...service, ...features, followedBy: scorer.stage })
  }
  await scorer.close()
})
