// The monitor: scores and outcomes in, windows of drift and performance out, and requests to retrain.
import { loadConfig, openService, run, runMain, untilUp } from '@churnstream/runtime'
import { Decoder } from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { createAssessingEncoders, createAssessingProcessor } from './assessing.ts'
import { config } from './config.ts'
import { createCountingEncoders, createCountingProcessor } from './counting.ts'
import { countedInputs } from './inputs.ts'
import { createMonitorMetrics, showWindows } from './metrics.ts'
import { createProfiles, createS3Reader } from './profiles.ts'
import { settingsOf } from './settings.ts'

await runMain(async () => {
  const env = loadConfig(config, process.env)
  await using service = await openService(services.monitor.name, env)
  const { kafka, schemas, log, metrics } = service
  const monitorMetrics = createMonitorMetrics(metrics)
  const encoders = await untilUp(
    'registry',
    'registering the schemas',
    async () => ({
      counting: await createCountingEncoders(schemas),
      assessing: await createAssessingEncoders(schemas),
    }),
    service,
  )
  if (encoders === undefined) return
  const profiles = createProfiles({
    kafka,
    schemas,
    readObject: createS3Reader(env.S3_ENDPOINT),
    log,
  })
  await using counting = createCountingProcessor({
    encoders: encoders.counting,
    kafka,
    schemas,
    profiles,
    control: { share: env.CONTROL_SHARE, salt: env.CONTROL_SALT },
  })
  const [first, ...alongside] = countedInputs(env.WATCHED_SHARE)
  // One that ends takes the others with it.
  const ending = new AbortController()
  const common = {
    ...service,
    signal: AbortSignal.any([service.signal, ending.signal]),
    recordsPerCommit: 10_000,
  }
  const loops = [
    run({
      ...common,
      ...first,
      alongside,
      service: services.monitor,
      processor: counting,
    }),
    run({
      ...common,
      service: services.assessor,
      topic: topics.monitoringPartials,
      decoder: new Decoder('monitoring-partial'),
      processor: createAssessingProcessor({
        encoders: encoders.assessing,
        schemas,
        profiles,
        settings: settingsOf(env),
        onAssessed(assessed) {
          monitorMetrics.assessed(assessed)
          for (const request of assessed.requests) log.info(request, 'asked for a new version')
          for (const one of assessed.held) log.warn(one, 'a reason to retrain is held back')
        },
      }),
    }),
    showWindows({ kafka, schemas, metrics: monitorMetrics, log }, common.signal),
  ]
  try {
    await Promise.race(loops)
  } finally {
    ending.abort()
    await Promise.allSettled(loops)
  }
  await Promise.all(loops)
})
