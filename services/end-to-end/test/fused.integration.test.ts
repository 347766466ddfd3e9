// Do features and the scorer in one process and one transaction keep every promise, and can one go there and back?
import { until } from '@churnstream/runtime/testing'
import { Schemas } from '@churnstream/schemas'
import { simulate } from '@churnstream/simulator'
import { fused, topics } from '@churnstream/topology'
import { runningVariables } from '@churnstream/topology/local'
import { verifyRunning } from '@churnstream/verifier'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openActivityWriter, type ActivityWriter } from '../pipeline/activity.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { progressOf } from '../pipeline/progress.ts'
import { firstEvents } from '../pipeline/steps.ts'

const dayMs = 86_400_000
const partitions = Array.from({ length: topics.playerActivity.partitions }, (_, index) => index)
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-fused-'))
const ended = new AbortController()
const failures: string[] = []
const endAt = Date.UTC(2026, 5, 1)
const steps = simulate({
  seed: 29,
  players: 400,
  startAt: endAt - 120 * dayMs,
  endAt,
  signUpDays: 10,
})
let pipeline: Pipeline
let writer: ActivityWriter

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['registryBridge', 'fused'],
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  const { kafka, stack } = pipeline
  writer = await openActivityWriter(kafka, new Schemas({ url: stack.registry.url }))
})
after(async () => {
  await writer?.close()
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

const write = (events: number) => writer.write(firstEvents(steps, events))

/** Also the group of the scorer: who waits until it has passed something must see it pass. */
async function caughtUp(services = [fused.first, fused.second]): Promise<void> {
  for (const service of services) {
    const [topic] = service.consumes
    for (const partition of partitions) {
      const isDone = async () =>
        !(await progressOf(pipeline.kafka, service, topic, partition)).isLeft
      await until(`${service.name} has done ${topic.name}-${partition}`, isDone)
    }
  }
}

async function assertAllScored(): Promise<void> {
  const variables = runningVariables({}, dataDir)
  assert.ok(variables)
  // Nothing fills its tables here.
  const { DATABASE_URL: _, ...others } = variables
  const { breaches, inFlight, records } = await verifyRunning({
    variables: others,
    acknowledged: undefined,
    sample: 200,
    onProgress: () => undefined,
  })
  assert.deepEqual(breaches, [])
  assert.equal(inFlight, 0)
  assert.ok(records.vectors > 5_000, `${records.vectors} vectors`)
  assert.equal(records.scores, records.vectors)
  assert.ok(records.recomputed >= 200)
}

test('fused - killed under load it goes on, and counts as both services', async () => {
  await write(1_000)
  await pipeline.process('fused').kill9()
  await write(1_000)
  await pipeline.restart('fused')
  await write(1_000)
  await caughtUp()
  const page = await (await fetch(`${pipeline.urls.fused}/metrics`)).text()
  for (const service of ['features', 'scorer']) {
    assert.match(page, new RegExp(`churnstream_assigned_partitions\\{service="${service}"\\} 8`))
  }
})

test('fused - to chained and back, with vectors left over on the way, none is lost or scored twice', async () => {
  await pipeline.process('fused').stop()
  const features = await pipeline.startReplica('features')
  const scorer = await pipeline.startReplica('scorer')
  await write(1_000)
  await caughtUp()
  await scorer.stop()
  await write(1_000)
  await caughtUp([fused.first])
  // It is not asked to end: what takes its place fences it.
  await features.kill9()
  await pipeline.restart('fused')
  await write(1_000)
  await caughtUp()
  await assertAllScored()
})
