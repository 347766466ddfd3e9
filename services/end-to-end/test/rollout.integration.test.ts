// Does setting an alias in MLflow change what scores, and can nothing bad get in that way?
import { DecodeProblem, Decoder, Schemas, type ChurnScore } from '@churnstream/schemas'
import { createMlflow, versionTags, type Mlflow } from '@churnstream/registry-bridge'
import { until } from '@churnstream/runtime/testing'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import { championAlias, championVersion, modelName, trainModel } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { openFolders, type Folder, type Folders } from '../rollout/folder.ts'
import { accountFor, type RunAccount } from '../rollout/scores.ts'
import { swapUnderLoad } from '../rollout/swaps.ts'
import { streamVectors, type VectorStream } from '../rollout/vectors.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-rollout-'))
const ended = new AbortController()
const failures: string[] = []
let pipeline: Pipeline
let schemas: Schemas
let mlflow: Mlflow
let folders: Folders
let first: string
let good: Folder

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['registryBridge', 'scorer'],
    // Only webhooks bring news: a poll must not hide that one was lost.
    env: {
      registryBridge: { POLL_INTERVAL_MS: '600000', REPORT_INTERVAL_MS: '500' },
      scorer: { GUARD_MIN_ROWS: '300' },
    },
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  schemas = new Schemas({ url: pipeline.stack.registry.url })
  mlflow = createMlflow(pipeline.stack.mlflow.url)
  folders = openFolders(pipeline.stack, mlflow)
  first = (await championVersion(pipeline.stack.mlflow.url)) as string
  good = await folders.read(modelName, first)
})
after(async () => {
  await Promise.all(endings.map((end) => end()))
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

interface Run {
  readonly stream: VectorStream
  /** The newest score of each market that was asked for. */
  newest(market: string): Promise<ChurnScore | undefined>
  end(): Promise<RunAccount>
}

let seed = 1
/** Ends what a test that failed left running, or the file would never end. */
const endings: (() => Promise<void>)[] = []

async function startRun(markets = ['gb', 'us-nj']): Promise<Run> {
  const { kafka } = pipeline
  const from = await kafka.endOffsets(topics.churnScores.name)
  const stream = await streamVectors({ kafka, schemas, ratePerSecond: 400, markets, seed: seed++ })
  const decoder = new Decoder('churn-score')
  const newest = new Map<string, ChurnScore>()
  let working: Promise<void> = Promise.resolve()
  const follower = kafka.follow(
    topics.churnScores.name,
    (records) => {
      working = working.then(async () => {
        const values = records.map(({ value }) => value)
        await schemas.prepare(decoder, values)
        for (const value of values) {
          const score = decoder.decode(value)
          if (!(score instanceof DecodeProblem)) newest.set(score.market, score)
        }
      })
    },
    { from: 'end' },
  )
  await follower.caughtUp
  endings.push(async () => {
    stream.stop()
    await stream.finished
    await follower.stop()
  })
  return {
    stream,
    newest: async (market) => {
      await working
      return newest.get(market)
    },
    async end() {
      stream.stop()
      await stream.finished
      let account = await accountFor({ kafka, schemas, from, sent: stream.sent })
      await until('every vector is scored', async () => {
        account = await accountFor({ kafka, schemas, from, sent: stream.sent })
        return account.missing === 0
      })
      await follower.stop()
      return account
    },
  }
}

const isScoredBy = (run: Run, market: string, name: string, version: string) =>
  until(`${market} is scored by version ${version} of ${name}`, async () => {
    const score = await run.newest(market)
    return score?.modelName === name && score.modelVersion === version
  })

const verdictOf = async (version: string, name = modelName) =>
  (await mlflow.version(name, version))?.tags ?? {}

/** Changes a copy of the good folder. */
function changed(change: (folder: Folder) => void): Folder {
  const folder = new Map(good)
  change(folder)
  return folder
}

async function variant(kind: 'slow' | 'shifted' | 'foreign-operator'): Promise<Folder> {
  const dir = mkdtempSync(join(dataDir, 'variant-'))
  for (const name of ['model.onnx', 'golden.json']) {
    writeFileSync(join(dir, name), good.get(name) as Buffer)
  }
  const script = fileURLToPath(new URL('../rollout/make_variant.py', import.meta.url))
  await promisify(execFile)(pipeline.stack.python, [script, dir, kind])
  return changed((folder) => {
    for (const name of ['model.onnx', 'golden.json']) {
      folder.set(name, readFileSync(join(dir, name)))
    }
  })
}

type SignatureInput = { name: string; type: string; required?: boolean }

/** Rewrites the inputs of MLmodel's signature. */
function withSignature(rewrite: (inputs: SignatureInput[]) => SignatureInput[]): Folder {
  return changed((folder) => {
    const mlmodel = parse((folder.get('MLmodel') as Buffer).toString()) as {
      signature: { inputs: string }
    }
    const inputs = JSON.parse(mlmodel.signature.inputs) as SignatureInput[]
    mlmodel.signature.inputs = JSON.stringify(rewrite(inputs))
    folder.set('MLmodel', Buffer.from(stringify(mlmodel)))
  })
}
const retyped = (type: string) =>
  withSignature((inputs) =>
    inputs.map((input) => (input.name === 'bets_7d' ? { ...input, type, required: true } : input)),
  )

function withGolden(rewrite: (golden: { probabilities: number[] }) => void): Folder {
  return changed((folder) => {
    const golden = JSON.parse((folder.get('golden.json') as Buffer).toString()) as {
      probabilities: number[]
    }
    rewrite(golden)
    folder.set('golden.json', Buffer.from(JSON.stringify(golden)))
  })
}

test('rollout - a version that must not serve is refused with its reason in MLflow, and the old one goes on', async () => {
  const bad: [string, Folder | Promise<Folder>][] = [
    ['wrong-order', withSignature(([a, b, ...rest]) => [b, a, ...rest] as SignatureInput[])],
    ['missing-column', withSignature((inputs) => inputs.slice(1))],
    ['extra-column', withSignature((inputs) => [...inputs, { name: 'extra', type: 'double' }])],
    [
      'renamed-column',
      withSignature(([a, ...rest]) => [{ ...a, name: 'other' } as SignatureInput, ...rest]),
    ],
    ['wrong-type', retyped('string')],
    ['null-in-integer', retyped('long')],
    [
      'onnx-unreadable',
      changed((folder) => {
        const onnx = folder.get('model.onnx') as Buffer
        folder.set('model.onnx', onnx.subarray(0, onnx.length / 2))
      }),
    ],
    ['operator-not-allowed', variant('foreign-operator')],
    ['too-slow', variant('slow')],
    ['golden-differs', withGolden(({ probabilities }) => void (probabilities[0] = 0.123))],
    ['golden-unreadable', withGolden(({ probabilities }) => void probabilities.pop())],
    ['file-missing', changed((folder) => void folder.delete('golden.json'))],
  ]
  const run = await startRun()
  await isScoredBy(run, 'gb', modelName, first)
  const refused: string[] = []
  for (const [reason, folder] of bad) {
    const version = await folders.register(modelName, await folder)
    await mlflow.setAlias(modelName, championAlias, version)
    await until(`version ${version} is refused for ${reason}`, async () => {
      const tags = await verdictOf(version)
      return tags[versionTags.verdict] === 'refused'
    })
    const tags = await verdictOf(version)
    assert.equal(tags[versionTags.verdictReason], reason, tags[versionTags.verdictDetail])
    assert.ok((tags[versionTags.verdictDetail] ?? '').length > 10)
    refused.push(version)
  }
  const ready = await fetch(`${pipeline.urls.scorer}/health/ready`)
  assert.equal(ready.status, 200)
  await mlflow.setAlias(modelName, championAlias, first)
  const { missing, duplicates, epochFalls, versions } = await run.end()
  assert.deepEqual(
    { missing, duplicates, epochFalls },
    { missing: 0, duplicates: 0, epochFalls: 0 },
  )
  assert.deepEqual(Object.keys(versions), [first])
})

test('rollout - bytes that changed after they were announced are refused by their digest', async () => {
  const version = await folders.register(modelName, good)
  // Any alias is announced, so the bridge knows the digests now.
  await mlflow.setAlias(modelName, 'staging', version)
  await until('it is announced', async () => (await announcedVersion('staging')) === version)
  const other = (await variant('shifted')).get('model.onnx') as Buffer
  await folders.overwrite(modelName, version, 'model.onnx', other)
  await mlflow.setAlias(modelName, championAlias, version)
  await until('it is refused', async () => {
    const tags = await verdictOf(version)
    return tags[versionTags.verdictReason] === 'digest-mismatch'
  })
  await mlflow.setAlias(modelName, championAlias, first)
})

/** The version that registry-events says stands under an alias. */
async function announcedVersion(alias: string): Promise<string | undefined> {
  const decoder = new Decoder('registry-event')
  let version: string | undefined
  for await (const records of pipeline.kafka.read(topics.registryEvents.name, 0)) {
    await schemas.prepare(
      decoder,
      records.flatMap(({ value }) => (value === null ? [] : [value])),
    )
    for (const { key, value } of records) {
      if (key?.toString() !== `${modelName}@${alias}`) continue
      const event = value === null ? undefined : decoder.decode(value)
      version = event instanceof DecodeProblem ? undefined : event?.modelVersion
    }
  }
  return version
}

test('rollout - a model of a plain script with mlflow and xgboost is refused with what to do', async () => {
  const script = fileURLToPath(new URL('../rollout/plain_model.py', import.meta.url))
  const { python, pythonEnv } = pipeline.stack
  const env = { PATH: `${dirname(python)}:${process.env['PATH']}`, ...pythonEnv }
  const { stdout } = await promisify(execFile)(python, [script, modelName], { env })
  const version = stdout.trim().split('\n').at(-1) as string
  await until('it is refused', async () => {
    const tags = await verdictOf(version)
    return tags[versionTags.verdict] === 'refused'
  })
  const tags = await verdictOf(version)
  assert.equal(tags[versionTags.verdictReason], 'file-missing')
  assert.match(tags[versionTags.verdictDetail] ?? '', /npm run model -- import/)
  await mlflow.setAlias(modelName, championAlias, first)
})

test('rollout - a market is added while vectors flow, and falls back when its alias goes', async () => {
  const run = await startRun()
  await isScoredBy(run, 'us-nj', modelName, first)
  const version = await folders.register('churn-us-nj', good)
  await mlflow.setAlias('churn-us-nj', championAlias, version)
  await isScoredBy(run, 'us-nj', 'churn-us-nj', version)
  await isScoredBy(run, 'gb', modelName, first)
  await mlflow.deleteAlias('churn-us-nj', championAlias)
  await isScoredBy(run, 'us-nj', modelName, first)
  const { missing, duplicates } = await run.end()
  assert.deepEqual({ missing, duplicates }, { missing: 0, duplicates: 0 })
})

test('rollout - a challenger scores the same vectors, and MLflow hears how it compares', async () => {
  const version = await folders.register(modelName, await variant('shifted'))
  const shadowsBefore = await pipeline.kafka.endOffsets(topics.shadowScores.name)
  const run = await startRun()
  await mlflow.setAlias(modelName, 'challenger', version)
  await until('its figures are in MLflow', async () => {
    const tags = await verdictOf(version)
    return tags[versionTags.shadow] !== undefined
  })
  await mlflow.deleteAlias(modelName, 'challenger')
  const { versions } = await run.end()
  assert.deepEqual(Object.keys(versions), [first])
  const shadow = JSON.parse((await verdictOf(version))[versionTags.shadow] ?? '{}') as Record<
    string,
    number
  >
  assert.ok((shadow['rows'] ?? 0) > 0, JSON.stringify(shadow))
  assert.ok((shadow['score_shift'] ?? shadow['scoreShift'] ?? 0) > 0.1, JSON.stringify(shadow))
  const shadowsAfter = await pipeline.kafka.endOffsets(topics.shadowScores.name)
  assert.ok(shadowsAfter.some((end, partition) => end > (shadowsBefore[partition] as bigint)))
})

test('rollout - a champion whose scores leave the guard is rolled back by itself', async () => {
  const version = await folders.register(modelName, await variant('shifted'))
  const run = await startRun()
  await isScoredBy(run, 'gb', modelName, first)
  await mlflow.setAlias(modelName, 'previous', first)
  await mlflow.setAlias(modelName, championAlias, version)
  await isScoredBy(run, 'gb', modelName, version)
  await isScoredBy(run, 'gb', modelName, first)
  assert.equal(await championVersion(pipeline.stack.mlflow.url), first)
  await until('the version is marked', async () => {
    const tags = await verdictOf(version)
    return /automatic/.test(tags[versionTags.rolledBack] ?? '')
  })
  await until('the verdict is written', async () => {
    const tags = await verdictOf(version)
    return tags[versionTags.verdict] === 'unhealthy'
  })
  assert.equal((await verdictOf(version))[versionTags.verdictReason], 'guard-scores')
  const { missing, duplicates, epochFalls } = await run.end()
  assert.deepEqual(
    { missing, duplicates, epochFalls },
    { missing: 0, duplicates: 0, epochFalls: 0 },
  )
})

test('rollout - with S3 away during a swap the old version goes on, and the new one comes after it', async () => {
  const version = await folders.register(modelName, good)
  // Announced before the store goes, so that only the scorer needs it.
  await mlflow.setAlias(modelName, 'staging', version)
  await until('it is announced', async () => (await announcedVersion('staging')) === version)
  const run = await startRun()
  await isScoredBy(run, 'gb', modelName, first)
  await pipeline.stack.servers.s3.stop()
  await mlflow.setAlias(modelName, championAlias, version)
  await until('the scorer has tried', () => {
    const log = readFileSync(pipeline.process('scorer').logFile, 'utf8')
    return log.includes('will be fetched again')
  })
  const sentBefore = run.stream.sent
  await until('the old version goes on', async () => {
    const score = await run.newest('gb')
    return score?.modelVersion === first && run.stream.sent > sentBefore + 400
  })
  await pipeline.stack.servers.s3.start()
  await isScoredBy(run, 'gb', modelName, version)
  const { missing, duplicates, epochFalls } = await run.end()
  assert.deepEqual(
    { missing, duplicates, epochFalls },
    { missing: 0, duplicates: 0, epochFalls: 0 },
  )
  await mlflow.setAlias(modelName, championAlias, first)
})

test('rollout - a scorer starts and scores while MLflow is away', async () => {
  await until('the first version is announced', async () => {
    const run = await startRun()
    await isScoredBy(run, 'gb', modelName, first)
    await run.end()
    return true
  })
  await pipeline.stack.servers.mlflow.stop()
  await pipeline.process('scorer').stop()
  await pipeline.restart('scorer')
  const run = await startRun()
  await isScoredBy(run, 'gb', modelName, first)
  await run.end()
  await pipeline.stack.servers.mlflow.start()
})

test('rollout - an alias to a version that is deleted changes nothing that scores', async () => {
  const version = await folders.register('churn-default', good)
  const run = await startRun()
  await mlflow.setAlias(modelName, championAlias, version)
  await isScoredBy(run, 'gb', modelName, version)
  await folders.deleteVersion(modelName, version)
  const { sent } = run.stream
  await until('it goes on', async () => run.stream.sent > sent + 800)
  await mlflow.setAlias(modelName, championAlias, first)
  await isScoredBy(run, 'gb', modelName, first)
  const { missing, epochFalls } = await run.end()
  assert.deepEqual({ missing, epochFalls }, { missing: 0, epochFalls: 0 })
})

test('rollout - promotions under load lose nothing, repeat nothing and never go back in epochs', async () => {
  const second = await trainModel({
    stack: pipeline.stack,
    dataDir,
    size: 'small',
    seed: 99,
    champion: false,
    signal: ended.signal,
    onProgress: () => undefined,
  })
  const report = await swapUnderLoad({
    pipeline,
    schemas,
    mlflow,
    modelName,
    versions: [first, second],
    ratePerSecond: 5_000,
    promotions: 20,
    seed: seed++,
    warmUpMs: 3_000,
  })
  console.log(JSON.stringify(report))
  const { missing, duplicates, epochFalls, mixedEpochs, versions } = report
  assert.deepEqual(
    { missing, duplicates, epochFalls, mixedEpochs },
    { missing: 0, duplicates: 0, epochFalls: 0, mixedEpochs: 0 },
  )
  assert.deepEqual(new Set(Object.keys(versions)), new Set([first, second]))
})
