// The features service: player-activity in, feature-vectors and player-outcomes out.
import { loadConfig, openService, run, runMain } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { config } from './config.ts'
import { openFeatures } from './open.ts'

await runMain(async () => {
  await using service = await openService(services.features.name, loadConfig(config, process.env))
  const features = await openFeatures(service)
  if (features !== undefined) await run({ ...service, ...features })
})
