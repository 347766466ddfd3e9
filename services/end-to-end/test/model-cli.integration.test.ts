// Does npm run model do to a running stack what it says?
import { createMlflow, modelTags, versionTags, type Mlflow } from '@churnstream/registry-bridge'
import { Decoder, Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { runCommand, type Ended } from '../pipeline/command.ts'
import { modelName } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { openFolders, type Folder } from '../rollout/folder.ts'

const main = fileURLToPath(new URL('../../model-cli/src/main.ts', import.meta.url))
const score = fileURLToPath(new URL('../../batch/src/main.ts', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-model-'))
const ended = new AbortController()
const failures: string[] = []
let pipeline: Pipeline
let mlflow: Mlflow

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['registryBridge', 'scorer'],
    env: { registryBridge: { REPORT_INTERVAL_MS: '500' } },
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  mlflow = createMlflow(pipeline.stack.mlflow.url)
  for (const kind of ['catalogue', 'foreign', 'classes']) {
    const script = fileURLToPath(new URL('../rollout/make_booster.py', import.meta.url))
    mkdirSync(join(dataDir, kind))
    await promisify(execFile)(pipeline.stack.python, [script, join(dataDir, kind), kind])
  }
})
after(async () => {
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

const model = (...args: string[]): Promise<Ended> => runCommand(main, args, dataDir)

/** The arguments that name what make_booster.py wrote. */
const files = (kind: string): string[] =>
  Object.entries({
    model: 'model.ubj',
    sample: 'X_test_sample.json',
    columns: 'columns.json',
  }).flatMap(([option, file]) => [`--${option}`, join(dataDir, kind, file)])

function assertGood({ code, stdout, stderr }: Ended, pattern: RegExp): void {
  assert.equal(code, 0, stderr)
  assert.match(stdout, pattern)
}

function assertBad({ code, stdout, stderr }: Ended, pattern: RegExp): void {
  assert.equal(code, 1)
  assert.match(`${stdout}${stderr}`, pattern)
  assert.doesNotMatch(stderr, /^\s+at /m)
}

test('model import - a model from elsewhere serves its market at once', async () => {
  const ended = await model('import', ...files('catalogue'), '--market', 'us-nj', '--champion')
  assertGood(ended, /version 1 of churn-us-nj serves on 1 of 1 replica after [\d.]+ s/)
  assert.match(ended.stdout, /30 trees, 6 columns, at most .* from XGBoost over 1\d{4} rows/)
  assert.match(ended.stderr, /parity: at most/)
  const version = await mlflow.version('churn-us-nj', '1')
  assert.equal(version?.tags[versionTags.gate], 'passed')
  assert.deepEqual(version?.aliases, ['champion'])
})

test('model import - a model with other columns is registered, and not made champion', async () => {
  const ended = await model('import', ...files('foreign'), '--market', 'us-nj', '--champion')
  assertBad(ended, /columns-not-in-catalogue: no feature of the catalogue fills loyalty_points/)
  assert.match(ended.stdout, /version 2 of churn-us-nj is registered[^]*it was not made champion/)
  const version = await mlflow.version('churn-us-nj', '2')
  assert.equal(version?.tags[versionTags.gate], 'refused: columns-not-in-catalogue')
  const checked = await model('check', 'us-nj', '2', '--json')
  assert.equal(checked.code, 1)
  const { columns } = JSON.parse(checked.stdout) as {
    columns: { column: string; problem: string | null }[]
  }
  assert.deepEqual(
    columns.flatMap(({ column, problem }) => (problem === null ? [] : [column])),
    ['loyalty_points'],
  )
})

test('npm run score - takes rows with the columns of a version that cannot serve the stream', async () => {
  const sample = join(dataDir, 'foreign', 'X_test_sample.json')
  const to = join(dataDir, 'foreign-scores.jsonl')
  const args = [sample, '--model', 'models:/churn-us-nj/2', '--to', to, '--json']
  const { code, stdout, stderr } = await runCommand(score, args, dataDir)
  assert.equal(code, 0, stderr)
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
  assert.deepEqual([summary['rowsIn'], summary['scored'], summary['rejected']], [300, 300, 0])
})

test('model import - what is no binary classifier, and a market that can be no name, register nothing', async () => {
  const before = (await mlflow.versions('churn-us-nj')).length
  const classes = await model('import', ...files('classes'), '--market', 'us-nj')
  assertBad(classes, /multi:softprob: it tells several classes apart/)
  assertBad(await model('import', ...files('catalogue'), '--market', 'US'), /lower-case letters/)
  const unread = await model('import', ...files('none'), '--market', 'us-nj')
  assertBad(unread, /the model .*model\.ubj cannot be read: No such file/)
  assert.equal((await mlflow.versions('churn-us-nj')).length, before)
})

test('model train - a variant of a market is trained from a file', async () => {
  const data = join(dataDir, 'training', 'training-set-small.csv.gz')
  const ended = await model('train', '--market', 'default', '--variant', 'light', '--data', data)
  assertGood(ended, /version 2 of churn-default is registered.*: 80 trees/)
  assert.equal((await mlflow.version(modelName, '2'))?.tags['variant'], 'light')
  assertBad(await model('train', '--market', 'default'), /--data is missing/)
  assertBad(await model('train', '--market', 'atlantis', '--data', data), /no market atlantis/)
})

test('model promote, rollback, pin - each waits for the scorer and says where it stands', async () => {
  const promoted = await model('promote', 'default', '2', '--json')
  assert.equal(promoted.code, 0, promoted.stderr)
  const { version, previous } = JSON.parse(promoted.stdout) as Record<string, string>
  assert.deepEqual({ version, previous }, { version: '2', previous: '1' })

  assertGood(await model('pin', 'default', '2'), /version 2 of churn-default serves/)
  assert.equal((await mlflow.model(modelName))?.tags[modelTags.pinned], '2')
  assertBad(await model('promote', 'default', '1'), /is pinned to version 2/)
  assertBad(await model('rollback', 'default'), /is pinned to version 2/)
  assertGood(await model('pin', 'default', '--off'), /may move again/)

  const rolledBack = await model('rollback', 'default', '--reason', 'CRM saw odd scores')
  assertGood(rolledBack, /version 1 of churn-default serves on 1 of 1 replica/)
  const tags = (await mlflow.version(modelName, '2'))?.tags ?? {}
  assert.match(tags[versionTags.rolledBack] ?? '', /manual: CRM saw odd scores/)
  assertBad(await model('rollback', 'default'), /was itself rolled back/)
  assertBad(await model('rollback', 'us-nj'), /no version before 1 to go back to/)
})

test('model challenge, status - the challenger is shown beside the champion, and taken away', async () => {
  const challenged = await model('challenge', 'default', '2')
  assertGood(challenged, /version 2 of churn-default scores in the shadow on 1 of 1 replica/)
  const status = await model('status', 'default')
  assertGood(status, /champion +version 1/)
  assert.match(status.stdout, /challenger +version 2/)
  assert.match(status.stdout, /challenger +version 2 .* accepted 2/)
  assertGood(await model('challenge', 'default', '--off'), /is challenger no more/)
  const { stdout } = await model('status', '--json')
  const models = JSON.parse(stdout) as { modelName: string; challenger: unknown }[]
  assert.deepEqual(
    models.map(({ modelName, challenger }) => [modelName, challenger]),
    [
      ['churn-default', null],
      ['churn-us-nj', null],
    ],
  )
})

test('model promote - a version that a scorer refuses is said to be refused, and what goes on', async () => {
  const ended = await model('promote', 'us-nj', '2', '--force')
  assertBad(ended, /was refused as champion by 1 of 1 replica/)
  assert.match(ended.stdout, /columns-not-in-catalogue: .*; version 1 goes on/)
  assert.match(ended.stdout, /To go back: npm run model -- promote churn-us-nj 1/)
  assertGood(await model('promote', 'us-nj', '1'), /version 1 of churn-us-nj serves/)
})

test('model check - a folder that was damaged is refused with what is wrong with it', async () => {
  const folders = openFolders(pipeline.stack, mlflow)
  const good = await folders.read('churn-us-nj', '1')
  const changed = (path: string, change: (content: Buffer) => Buffer | undefined): Folder => {
    const folder = new Map(good)
    const content = change(folder.get(path) as Buffer)
    if (content === undefined) folder.delete(path)
    else folder.set(path, content)
    return folder
  }
  const swapped = (content: Buffer): Buffer => {
    const [first, second, ...rest] = JSON.parse(content.toString()) as string[]
    return Buffer.from(JSON.stringify([second, first, ...rest]))
  }
  const bad: [Folder, RegExp][] = [
    [changed('model.onnx', (onnx) => onnx.subarray(0, onnx.length / 2)), /onnx-unreadable/],
    [changed('columns.json', swapped), /wrong-order: column 0 is bets_7d in columns\.json/],
    [changed('model.onnx', () => undefined), /has no model\.onnx.*npm run model -- import/],
  ]
  for (const [folder, problem] of bad) {
    const version = await folders.register('churn-us-nj', folder)
    assertBad(await model('check', 'us-nj', version), problem)
    const gate = (await mlflow.version('churn-us-nj', version))?.tags[versionTags.gate]
    assert.match(gate ?? '', /^refused: /)
  }
})

test('model - what does not exist is refused with what does', async () => {
  assertBad(await model('promote', 'default', '77'), /neither a version nor an alias 77/)
  assertBad(await model('check', 'atlantis', '1'), /no model churn-atlantis; there are: churn-def/)
  assertBad(await model('status', 'atlantis'), /there are: churn-default, churn-us-nj/)
  assertBad(await model('demote', 'default'), /there is no command demote; there are: import/)
})

test('model - with MLflow away every command says so', async () => {
  await pipeline.stack.servers.mlflow.stop()
  for (const args of [['status'], ['promote', 'default', '2'], ['check', 'default', '1']]) {
    assertBad(await model(...args), /asking MLflow to GET .*ECONNREFUSED/)
  }
  const ended = await model('import', ...files('catalogue'), '--market', 'us-nj')
  assertBad(ended, /MLflow is not reachable at/)
  await pipeline.stack.servers.mlflow.start()
})

test('model retrain - the request stands in the topic with the reason of who asks', async () => {
  assertBad(await model('retrain', 'atlantis', '--why', 'x'), /MLflow has no model churn-atlantis/)
  assertGood(
    await model('retrain', 'default', '--why', 'a new season'),
    /retraining-requests offset 0/,
  )
  const decoder = new Decoder('retraining-request')
  const schemas = new Schemas({ url: pipeline.stack.registry.url })
  const { name } = topics.retrainingRequests
  for await (const [record] of pipeline.kafka.read(name, 0)) {
    const value = record?.value ?? null
    await schemas.prepare(decoder, [value])
    const request = decoder.decode(value)
    assert.ok('requestedAt' in request)
    assert.equal(String(record?.key), modelName)
    const { requestedAt, ...rest } = request
    assert.deepEqual(rest, {
      modelName,
      market: 'default',
      reason: 'asked-for',
      evidence: '{"why":"a new season"}',
      cooldownUntil: requestedAt,
      requestedBy: 'person',
    })
  }
})
