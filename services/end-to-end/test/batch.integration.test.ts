// Do whole batches get from S3 to S3 and to PostgreSQL, once, whatever fails in between?
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import {
  createObjects,
  exitCodeOf,
  loadBatch,
  openInstallation,
  publishBatch,
  scoreSource,
  type Batch,
  type Installation,
  type ScoreRow,
  type Summary,
} from '@churnstream/batch'
import { createMlflow, type Mlflow } from '@churnstream/registry-bridge'
import { FatalError, TransientError } from '@churnstream/runtime'
import type { Database } from '@churnstream/sinks'
import { startStack, type Stack } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { killed, runCommand, type Ended } from '../pipeline/command.ts'
import { openEnvironment } from '../pipeline/environment.ts'
import { openFolders, type Folder, type Folders } from '../rollout/folder.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const scoreMain = here('../../batch/src/main.ts')
const publishMain = here('../../batch/src/publish-main.ts')
const modelFolder = here('../golden/model')
const modelName = 'churn-default'
const rows = 1_000
const asOf = '2026-11-16'

const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-batch-'))
const results = mkdtempSync(join(tmpdir(), 'churnstream-results-'))
let stack: Stack
let s3: S3Client
let mlflow: Mlflow
let folders: Folders
let folder: Folder
let installation: Installation
let database: Database

before(async () => {
  stack = await startStack({ dataDir, ports: 'free', parts: ['s3', 'postgres', 'mlflow'] })
  const { variables } = openEnvironment(stack, dataDir)
  installation = openInstallation(variables)
  s3 = installation.s3()
  database = installation.database()
  mlflow = createMlflow(stack.mlflow.url)
  folders = openFolders(stack, mlflow)
  folder = new Map(
    readdirSync(modelFolder).map((name) => [name, readFileSync(join(modelFolder, name))]),
  )
  await folders.register(modelName, folder)
  await folders.register(modelName, folder)
  await mlflow.setAlias(modelName, 'champion', '1')
  await put('rows/us/a.csv', csvOf(0, rows / 2))
  await put('rows/us/b.csv', csvOf(rows / 2, rows))
  await put('rows/us/_SUCCESS', 'done')
})
after(async () => {
  await installation?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  rmSync(results, { recursive: true, force: true })
})

const columns = JSON.parse(readFileSync(join(modelFolder, 'columns.json'), 'utf8')) as string[]

/** Features by name, so that the one-hot columns are filled from the categories. */
function csvOf(from: number, to: number): string {
  const numeric = columns.filter(
    (name) => !/^(market|acquisition_source|first_product)_/.test(name),
  )
  const lines = Array.from({ length: to - from }, (_, at) => {
    const number = from + at
    const cells = numeric.map((_, column) => ((number * 31 + column * 17) % 101) / 4)
    return [`p-${number}`, asOf, 'us-nj', 'paid', 'sport', ...cells].join()
  })
  const header = ['player_id', 'as_of', 'market', 'acquisition_source', 'first_product', ...numeric]
  return [header.join(), ...lines].join('\n')
}

const at = (key: string): string => `s3://${stack.s3.bucket}/${key}`
const put = (key: string, body: string) =>
  s3.send(new PutObjectCommand({ Bucket: stack.s3.bucket, Key: key, Body: body }))
async function textOf(key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: stack.s3.bucket, Key: key }))
  return (await Body?.transformToString()) ?? ''
}
async function keysBelow(prefix: string): Promise<(string | undefined)[]> {
  const listed = await s3.send(
    new ListObjectsV2Command({ Bucket: stack.s3.bucket, Prefix: prefix }),
  )
  return (listed.Contents ?? []).map(({ Key }) => Key)
}

const score = (...args: string[]): Promise<Ended> =>
  runCommand(scoreMain, [...args, '--json'], dataDir)
const publish = (...args: string[]): Promise<Ended> =>
  runCommand(publishMain, [...args, '--json'], dataDir)
const last = ({ code, stdout, stderr }: Ended): unknown => {
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}
function assertFails({ code, stderr }: Ended, expected: number, message: RegExp): void {
  assert.equal(code, expected, stderr)
  assert.match(stderr, message)
  assert.doesNotMatch(stderr, /^\s+at /m)
}
const query = async (statement: string, values: unknown[] = []) =>
  (await database.query(statement, values)).rows
const champion = `models:/${modelName}@champion`

test('score - a folder of S3 into S3, by alias, with the scores that the folder of the version gives', async () => {
  const target = at('results/us.jsonl')
  const ended = await score(at('rows/us/'), '--model', champion, '--to', target)
  const summary = last(ended) as Summary
  assert.deepEqual(
    [summary.rowsIn, summary.scored, summary.rejected, summary.model],
    [rows, rows, 0, { name: modelName, version: '1', uri: `models:/${modelName}/1` }],
  )
  assert.deepEqual(await keysBelow('results/'), [
    'results/us.jsonl',
    'results/us.jsonl.rejects.jsonl',
  ])
  const remote = (await textOf('results/us.jsonl')).trim().split('\n')
  assert.equal(remote.length, rows)

  const local = join(results, 'rows.csv')
  writeFileSync(local, csvOf(0, rows))
  const output = join(results, 'local.jsonl')
  last(await score(local, '--model', modelFolder, '--to', output))
  const scoresOf = (lines: readonly string[]) =>
    lines.map((line) => (JSON.parse(line) as { score: number }).score)
  assert.deepEqual(scoresOf(remote), scoresOf(readFileSync(output, 'utf8').trim().split('\n')))
  const sources = remote.map((line) => (JSON.parse(line) as { source: string }).source)
  assert.deepEqual([...new Set(sources)], [at('rows/us/a.csv'), at('rows/us/b.csv')])
})

/** As scoreSource is called by the command, but for what the test puts in between. */
const inProcess = (change: {
  readonly to: string
  readonly beforeDownload?: () => Promise<unknown>
}): Promise<Summary> => {
  const objects = installation.objects()
  return scoreSource({
    source: at('rows/us'),
    model: champion,
    to: { kind: 'file', target: at(change.to) },
    rejects: at(`${change.to}.rejects.jsonl`),
    asOf: undefined,
    market: undefined,
    maxRejectedShare: 0,
    installation: {
      ...installation,
      objects: () => ({
        ...objects,
        async download(object, file) {
          await change.beforeDownload?.()
          return objects.download(object, file)
        },
      }),
    },
    signal: new AbortController().signal,
    onProgress: () => undefined,
  })
}

test('score - an object that is replaced or deleted while the others are read: try again, nothing is kept', async () => {
  const trouble = async (work: () => Promise<unknown>): Promise<Error> => {
    const error = await inProcess({ to: 'replaced/s.parquet', beforeDownload: work }).then(
      () => assert.fail('it was not noticed'),
      (error: Error) => error,
    )
    assert.equal(exitCodeOf(error), 75)
    assert.deepEqual(await keysBelow('replaced/'), [])
    return error
  }
  const replaced = await trouble(() => put('rows/us/b.csv', csvOf(rows, rows * 2)))
  assert.match(replaced.message, /b\.csv: it was replaced since it was listed/)
  const deleted = await trouble(() =>
    s3.send(new DeleteObjectCommand({ Bucket: stack.s3.bucket, Key: 'rows/us/b.csv' })),
  )
  assert.match(deleted.message, /b\.csv: it was deleted since it was listed/)
  await put('rows/us/b.csv', csvOf(rows / 2, rows))
})

test('upload - a multipart upload that fails takes its parts back', async () => {
  const file = join(results, 'large')
  writeFileSync(file, Buffer.alloc(12 * 1024 * 1024, 'x'))
  const { variables } = openEnvironment(stack, dataDir)
  await using other = openInstallation(variables)
  const client = other.s3()
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { PartNumber } = args.input as { PartNumber?: number }
        if (commandName === 'UploadPartCommand' && PartNumber === 2)
          throw new Error('a broken line')
        return next(args)
      },
    { step: 'initialize' },
  )
  const broken = createObjects(client)
  await assert.rejects(broken.upload(file, at('large/broken')), TransientError)
  const open = await s3.send(new ListMultipartUploadsCommand({ Bucket: stack.s3.bucket }))
  assert.deepEqual(open.Uploads ?? [], [])
  assert.deepEqual(await keysBelow('large/'), [])
  await installation.objects().upload(file, at('large/whole'))
  const found = await installation.objects().find(at('large/whole'))
  assert.equal(found?.sizeBytes, 12 * 1024 * 1024)
})

test('score - killed in the middle of a multipart upload nothing is seen, and the same again is whole', async () => {
  await put('rows/large.csv', csvOf(0, 60_000))
  const to = at('killed/scores.jsonl')
  const args = [at('rows/large.csv'), '--model', `models:/${modelName}/1`, '--to', to]
  const failpoint = { NODE_ENV: 'test', FAILPOINT: 'mid-multipart:kill@1' }
  assert.equal((await runCommand(scoreMain, args, dataDir, failpoint)).code, killed)
  assert.ok(!(await keysBelow('killed/')).includes('killed/scores.jsonl'))
  const summary = last(await score(...args)) as Summary
  assert.equal(summary.scored, 60_000)
  assert.equal((await textOf('killed/scores.jsonl')).trim().split('\n').length, 60_000)
})

async function toPostgres(model: string, slot = 'weekly/us'): Promise<Summary> {
  const rejects = join(results, 'rejects.jsonl')
  const to = ['--to', 'postgres', '--slot', slot, '--rejects', rejects]
  return last(await score(at('rows/us'), '--model', model, ...to)) as Summary
}

test('score --to postgres - the same batch twice is there once, and seen by nobody', async () => {
  const first = await toPostgres(champion)
  const [stored] = await query('SELECT * FROM batches WHERE batch_id = $1', [first.batchId])
  assert.deepEqual(
    [stored?.['slot'], stored?.['status'], stored?.['model_version'], stored?.['input_sha256']],
    ['weekly/us', 'loaded', '1', first.inputSha256],
  )
  const before = await query('SELECT * FROM batch_scores ORDER BY player_id')
  assert.equal(before.length, rows)
  const second = await toPostgres(champion)
  assert.equal(second.batchId, first.batchId)
  assert.deepEqual(await query('SELECT * FROM batch_scores ORDER BY player_id'), before)
  assert.deepEqual(await query('SELECT * FROM published_scores'), [])
  const elsewhere = await toPostgres(champion, 'weekly/other')
  assert.notEqual(elsewhere.batchId, first.batchId)
})

test('publish-scores - readers see one whole batch at every moment, and the way back', async () => {
  const one = await toPostgres(champion)
  const two = await toPostgres(`models:/${modelName}/2`)
  const published = last(await publish(one.batchId))
  assert.deepEqual(published, {
    slot: 'weekly/us',
    batchId: one.batchId,
    previousBatchId: null,
    rows,
  })
  const seen = new Set<string>()
  let isDone = false
  async function read(): Promise<void> {
    while (!isDone) {
      const found = await query(
        'SELECT model_version, count(*)::int AS count FROM published_scores WHERE slot = $1 GROUP BY 1',
        ['weekly/us'],
      )
      assert.equal(found.length, 1)
      assert.equal(found[0]?.['count'], rows)
      seen.add(found[0]?.['model_version'] as string)
    }
  }
  const reading = read()
  for (let round = 0; round < 20; round++) {
    const [from, to] = round % 2 === 0 ? [one, two] : [two, one]
    const { previousBatchId } = await publishBatch(database, to.batchId)
    assert.equal(previousBatchId, from.batchId)
  }
  isDone = true
  await reading
  assert.deepEqual([...seen].sort(), ['1', '2'])
  assertFails(await publish('no-such-batch'), 1, /there is no batch no-such-batch/)
})

test('publish-scores - two at once are one after the other', async () => {
  const [one, two] = [await toPostgres(champion), await toPostgres(`models:/${modelName}/2`)]
  await publishBatch(database, one.batchId)
  const both = await Promise.all([
    publishBatch(database, two.batchId),
    publishBatch(database, one.batchId),
  ])
  const before = both.map(({ previousBatchId }) => previousBatchId)
  assert.ok(before.includes(one.batchId))
})

test('score - a version that is not there, or goes away, is said so', async () => {
  const to = ['--to', at('gone/s.parquet')]
  const from = at('rows/us')
  const fails = async (model: string, message: RegExp): Promise<void> =>
    assertFails(await score(from, '--model', model, ...to), 1, message)
  await fails(`models:/${modelName}/77`, /has no version 77; it has: 2, 1/)
  await fails(`models:/${modelName}@nobody`, /has no alias nobody; it has: champion/)
  await fails(
    'models:/churn-atlantis@champion',
    /no registered model churn-atlantis; there are: churn/,
  )
  await fails('models:/x', /names no version: it is models:\/NAME@ALIAS/)

  const version = await folders.register(modelName, folder)
  await mlflow.setAlias(modelName, 'champion', version)
  const deleted = inProcess({
    to: 'gone/s.parquet',
    beforeDownload: async () => {
      if ((await mlflow.version(modelName, version)) === undefined) return
      await folders.deleteVersion(modelName, version)
    },
  })
  await assert.rejects(deleted, (error: Error) => {
    assert.ok(error instanceof FatalError)
    assert.match(error.message, /was deleted in MLflow while it scored: its scores are not kept/)
    return true
  })
  await mlflow.setAlias(modelName, 'champion', '1')

  const damaged = new Map(folder)
  damaged.delete('golden.json')
  const damagedVersion = await folders.register(modelName, damaged)
  await fails(`models:/${modelName}/${damagedVersion}`, /is refused: file-missing: .*golden\.json/)
  assert.deepEqual(await keysBelow('gone/'), [])
})

test('score - MLflow or S3 away is a reason to try again, and a folder needs neither', async () => {
  const local = join(results, 'rows.csv')
  writeFileSync(local, csvOf(0, 10))
  const to = ['--to', join(results, 'away.csv')]
  await stack.servers.mlflow.stop()
  assertFails(
    await score(local, '--model', champion, ...to),
    75,
    /asking MLflow to GET .*ECONNREFUSED/,
  )
  await stack.servers.s3.stop()
  assertFails(await score(at('rows/us'), '--model', modelFolder, ...to), 75, /looking for s3:\/\//)
  assertFails(
    await score(local, '--model', modelFolder, '--to', at('away/s.csv')),
    75,
    /writing s3:\/\/.*ECONNREFUSED/,
  )
  last(await score(local, '--model', modelFolder, ...to))
  await stack.servers.s3.start()
  await stack.servers.mlflow.start()
})

test('loadBatch - PostgreSQL killed in the middle: not to be published, and repaired by loading again', async () => {
  const batch: Batch = {
    slot: 'weekly/killed',
    modelName,
    modelVersion: '1',
    inputSha256: 'ab'.repeat(32),
    rowsIn: 3_000,
    scored: 3_000,
    rejected: 0,
  }
  const part = (from: number): ScoreRow[] =>
    Array.from({ length: 1_000 }, (_, index) => ({
      playerId: `p-${from + index}`,
      asOf: Date.parse(asOf),
      market: null,
      score: 0.25,
      band: 'low',
      modelName,
      modelVersion: '1',
      source: 'x',
      row: from + index,
    }))
  async function* parts(between: () => Promise<void>): AsyncGenerator<ScoreRow[]> {
    yield part(0)
    await between()
    yield part(1_000)
    yield part(2_000)
  }
  await assert.rejects(
    loadBatch(
      database,
      batch,
      parts(async () => void (await stack.servers.postgres.kill9())),
    ),
    TransientError,
  )
  const away = await score(at('rows/us'), '--model', modelFolder, '--to', 'postgres', '--slot', 's')
  assertFails(away, 75, /PostgreSQL.*ECONNREFUSED/)
  await stack.servers.postgres.start()
  const [begun] = await query('SELECT * FROM batches WHERE slot = $1', [batch.slot])
  assert.equal(begun?.['status'], 'loading')
  await assert.rejects(
    publishBatch(database, begun?.['batch_id'] as string),
    /not loaded to the end/,
  )
  const { batchId, written, wasLoaded } = await loadBatch(
    database,
    batch,
    parts(async () => {}),
  )
  assert.deepEqual([written, wasLoaded], [2_000, false])
  assert.equal((await publishBatch(database, batchId)).rows, 3_000)
  const again = await loadBatch(
    database,
    batch,
    parts(async () => {}),
  )
  assert.deepEqual(again, { batchId, written: 0, wasLoaded: true })
})

test('loadBatch - rows that are not as many as the batch says are never loaded', async () => {
  const batch: Batch = {
    slot: 'weekly/short',
    modelName,
    modelVersion: '1',
    inputSha256: 'cd'.repeat(32),
    rowsIn: 2,
    scored: 2,
    rejected: 0,
  }
  const row: ScoreRow = {
    playerId: 'p',
    asOf: Date.parse(asOf),
    market: null,
    score: 0.5,
    band: 'watch',
    modelName,
    modelVersion: '1',
    source: 'x',
    row: 0,
  }
  async function* only(...rows: ScoreRow[]): AsyncGenerator<ScoreRow[]> {
    yield rows
  }
  await assert.rejects(loadBatch(database, batch, only(row)), /has 1 rows and says 2/)
  await assert.rejects(loadBatch(database, batch, only(row, row)), /stands twice/)
  const [begun] = await query('SELECT * FROM batches WHERE slot = $1', [batch.slot])
  await assert.rejects(
    publishBatch(database, begun?.['batch_id'] as string),
    /not loaded to the end/,
  )
})
