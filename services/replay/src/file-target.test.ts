// Are the files of a replay the same, whoever writes them, however often, and wherever it broke?
import { openInputs, openInstallation, openRows, type ScoreRow } from '@churnstream/batch'
import { activity, bet, day0 } from '@churnstream/features/testing'
import { clockKind, type PlayerActivity } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import type { Schemas } from '@churnstream/schemas'
import { clusterTopics } from '@churnstream/topology'
import { MemoryCluster } from '@churnstream/runtime/testing'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { backfill, type Backfilled, type Target } from './backfill.ts'
import type { Plan } from './core/plan.ts'
import { beginInFolder, openFileTarget } from './file-target.ts'
import { openFolder } from './folder.ts'
import { activityId, hashingModel, sendActivity } from './testing.ts'
import { noteTopic, openTopicSource } from './topic-source.ts'

const dayMs = 86_400_000
const root = mkdtempSync(join(tmpdir(), 'churnstream-file-target-'))
after(() => rmSync(root, { recursive: true, force: true }))
const installation = openInstallation({}, join(root, 'no-demo'))
const schemas = fixedSchemas({ [activityId]: 'player-activity' }) as Schemas
const cluster = new MemoryCluster()
const kafka = cluster.open()
const days = 12

before(async () => {
  await kafka.ensureTopics(clusterTopics())
  const inputs: PlayerActivity[] = []
  for (let day = 0; day < days; day++) {
    for (let player = 0; player < 30; player++) {
      inputs.push(bet(day + player / 100, { playerId: `player-${player}` }))
    }
    inputs.push(activity(clockKind, day + 0.9, { playerId: '' }))
  }
  await sendActivity(cluster, inputs)
})

let folders = 0
const newFolder = (): string => join(root, `folder-${folders++}`)

async function runIn(
  location: string,
  change: (target: Target) => Target = (target) => target,
  rest: Partial<Plan> = {},
): Promise<Backfilled> {
  const folder = await openFolder(location, installation)
  const noted = await noteTopic(kafka)
  const plan = await beginInFolder(folder, {
    id: 'a',
    fromAt: day0 + 2 * dayMs,
    toAt: day0 + days * dayMs,
    market: null,
    modelName: 'churn-default',
    modelVersion: '3',
    source: noted,
    ...rest,
  })
  if (plan.source.kind !== 'topic') throw new Error('unreachable')
  return backfill({
    plan,
    source: openTopicSource(kafka, schemas, plan.source),
    model: hashingModel,
    target: change(openFileTarget({ folder, plan, installation })),
    signal: new AbortController().signal,
    chunkVectors: 10,
    onProgress: () => undefined,
  })
}

/** Names and digests of everything. */
const digestsOf = (location: string): string[] =>
  readdirSync(location)
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(location, name))
      return `${name} ${createHash('sha256').update(bytes).digest('hex')}`
    })

test('openFileTarget - a file for each partition, the manifest last, and what it says is so', async () => {
  const location = newFolder()
  const { total } = await runIn(location)
  assert.equal(total.vectors, total.scores + total.rejected)
  assert.ok(total.scores > 250 && total.rejected > 0, JSON.stringify(total))
  const manifest = JSON.parse(readFileSync(join(location, 'manifest.json'), 'utf8')) as {
    total: object
    partitions: { file: string; sha256: string; scores: number }[]
  }
  assert.deepEqual(manifest.total, total)
  assert.equal(manifest.partitions.length, 8)
  const standing = digestsOf(location)
  for (const { file, sha256 } of manifest.partitions) {
    assert.ok(standing.includes(`${file} ${sha256}`), file)
  }
})

test('openFileTarget - rows come back as they were written, each cause once', async () => {
  const location = newFolder()
  const rows: ScoreRow[] = []
  const { total } = await runIn(location, (target) => ({
    ...target,
    async complete(partitions) {
      await target.complete(partitions)
      for (const [partition] of partitions.entries()) {
        const own = (await Array.fromAsync(target.read(partition))).flat()
        assert.deepEqual(
          own.map(({ row }) => row),
          own.map((_, index) => index),
        )
        rows.push(...own)
      }
    },
  }))
  assert.equal(rows.length, total.scores)
  for (const { asOf, score, band, source, modelVersion } of rows) {
    assert.ok(typeof asOf === 'number' && asOf >= day0 + 2 * dayMs)
    assert.ok(score >= 0 && score <= 1 && band.length > 0)
    assert.deepEqual([source, modelVersion], ['player-activity', '3'])
  }
  const causes = new Set<string>()
  await using inputs = await openInputs(location, installation)
  for (const file of inputs.files.filter(({ kind }) => kind === 'parquet')) {
    const wanted = { columns: [], expected: new Set<string>(), isEnough: () => true }
    for await (const batch of (await openRows(file, wanted)).batches()) {
      const [players, partitions, offsets] = await Promise.all(
        ['player_id', 'cause_partition', 'cause_offset'].map((name) => batch.column(name)),
      )
      for (let row = 0; row < batch.length; row++) {
        assert.equal(file.source.endsWith(`partition-${String(partitions?.[row])}.parquet`), true)
        causes.add([players, partitions, offsets].map((cells) => String(cells?.[row])).join(' '))
      }
    }
  }
  assert.equal(causes.size, rows.length)
})

test('openFileTarget - repeated, at once, and broken anywhere: the same bytes', async () => {
  const whole = newFolder()
  await runIn(whole)
  const expected = digestsOf(whole)
  assert.equal((await runIn(whole)).foldedNow, 0)
  assert.deepEqual(digestsOf(whole), expected)

  const both = newFolder()
  await Promise.all([runIn(both), runIn(both)])
  assert.deepEqual(digestsOf(both), expected)

  for (const writes of [1, 5, 12, 20]) {
    const broken = newFolder()
    let left = writes
    const breaking = runIn(broken, (target) => ({
      ...target,
      async open(partition) {
        const lane = await target.open(partition)
        if ('finished' in lane) return lane
        return {
          ...lane,
          async write(chunk) {
            if (--left === 0) throw new Error('the power failed')
            await lane.write(chunk)
          },
          [Symbol.asyncDispose]: () => lane[Symbol.asyncDispose](),
        }
      },
    }))
    await assert.rejects(breaking, /the power failed/)
    assert.ok(!readdirSync(broken).includes('manifest.json'))
    await runIn(broken)
    assert.deepEqual(digestsOf(broken), expected)
  }
})

test('openFileTarget - a file that is not what was said of it is made again', async () => {
  const location = newFolder()
  await runIn(location)
  const expected = digestsOf(location)
  writeFileSync(join(location, 'partition-3.parquet'), 'half a file')
  rmSync(join(location, 'partition-5.parquet'))
  const again = await runIn(location)
  assert.ok(again.foldedNow > 0 && again.foldedNow < again.total.records)
  assert.deepEqual(digestsOf(location), expected)
})

test('openFileTarget - what comes after it was begun is not in it', async () => {
  const location = newFolder()
  const first = await runIn(location)
  rmSync(join(location, 'partition-2.parquet'))
  await sendActivity(cluster, [bet(days - 0.01, { playerId: 'player-2' })])
  assert.deepEqual((await runIn(location)).partitions, first.partitions)
})

test('beginInFolder - a folder that holds another replay is left alone', async () => {
  const location = newFolder()
  await runIn(location)
  const expected = digestsOf(location)
  await assert.rejects(runIn(location, undefined, { modelVersion: '4' }), /was 3 and is 4/)
  assert.deepEqual(digestsOf(location), expected)
})
