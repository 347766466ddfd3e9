// npm run bench -- replay: how fast are a million records folded and scored again, in how much memory?
import { clockRecords } from '@churnstream/ingestion'
import {
  createKafkajsKafka,
  createLog,
  partitionOf,
  type OutgoingRecord,
} from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { simulate } from '@churnstream/simulator'
import { clusterTopics, topics } from '@churnstream/topology'
import { startStack, type Stack } from '@churnstream/topology/local'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { modelFolder } from '../golden/files.ts'
import { watched, type Watched } from './watched.ts'

const main = fileURLToPath(new URL('../../replay/src/main.ts', import.meta.url))
const dayMs = 86_400_000
const startAt = Date.UTC(2026, 0, 1)
const days = 90
/** Together they do about 1,000,000 things in that time. */
const players = 14_000
const recordsPerSend = 2_000

interface Written {
  /** Of the topic, clock records included. */
  readonly records: number
  readonly events: number
}

export async function benchReplay(options: {
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Record<string, number | string>> {
  const { dataDir, signal, onProgress } = options
  await using stack = await startStack({
    dataDir,
    ports: 'free',
    parts: ['kafka', 'registry'],
    signal,
    onProgress,
  })
  const folder = join(dataDir, 'events')
  const { records, events } = await write(stack, folder, signal)
  onProgress(`${records} records in ${topics.playerActivity.name}, ${events} events in files`)
  const results = join(dataDir, 'results')
  mkdirSync(results)
  const at = (day: number): string => String(startAt + day * dayMs)
  const scores = (from: number, target: string, id: string): string[] => {
    const range = ['--from', at(from), '--to', at(days)]
    return ['scores', ...range, '--model', modelFolder, '--to-target', target, '--id', id]
  }
  const files = ['--from-source', folder]
  const folderOf = (id: string): string => join(results, id)
  const runs: Record<string, readonly string[]> = {
    'topic to topic, all scored': scores(0, 'topic', 'all'),
    'topic to Parquet, all scored': scores(0, folderOf('all'), 'all'),
    'topic to Parquet, the last week scored': scores(days - 7, folderOf('week'), 'week'),
    'files to Parquet, all scored': [...scores(0, folderOf('files'), 'files'), ...files],
    'topic, vectors as of the end': [
      'vectors',
      '--as-of',
      at(days),
      '--to-target',
      join(results, 'v.parquet'),
    ],
    'topic, labelled rows': [
      'labels',
      '--until',
      at(days),
      '--to-target',
      join(results, 'l.csv.gz'),
    ],
  }
  const figures: Record<string, number | string> = { records, events }
  for (const [name, args] of Object.entries(runs)) {
    const { seconds, processorSeconds, peakRssBytes, summary } = await measure(stack, args, signal)
    figures[`${name}: seconds, start included`] = Math.round(seconds * 10) / 10
    figures[`${name}: processor seconds`] = Math.round(processorSeconds * 10) / 10
    figures[`${name}: records/s, start included`] = Math.round(records / seconds)
    figures[`${name}: records/s without the start`] = summary.recordsPerSecond
    if (summary.total !== undefined) figures[`${name}: scores`] = summary.total.scores
    figures[`${name}: peak memory, MB`] = Math.round(peakRssBytes / 1e6)
    onProgress(`${name}: ${Math.round(records / seconds)} records/s`)
  }
  return figures
}

/** The same activity into the topic and into a file for each day. */
async function write(stack: Stack, folder: string, signal: AbortSignal): Promise<Written> {
  const kafka = createKafkajsKafka({
    brokers: stack.kafka.brokers,
    clientId: 'bench',
    log: createLog('bench', 'silent'),
  })
  await kafka.ensureTopics(clusterTopics())
  const { name: topic, partitions } = topics.playerActivity
  const schemas = new Schemas({ url: stack.registry.url })
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const producer = await kafka.openProducer()
  mkdirSync(folder)
  const counts = { records: 0, events: 0 }
  const lines = new Map<number, string[]>()
  let batch: OutgoingRecord[] = []
  const flush = async (): Promise<void> => {
    signal.throwIfAborted()
    await producer.send(batch)
    counts.records += batch.length
    batch = []
  }
  const endAt = startAt + days * dayMs
  for (const step of simulate({ seed: 12, players, startAt, endAt, signUpDays: 30 })) {
    if ('event' in step) {
      const { event } = step
      const key = event.playerId
      const value = encoder.encode(event)
      batch.push({ topic, partition: partitionOf(key, partitions), key, value })
      const day = Math.floor((event.occurredAt - startAt) / dayMs)
      const own = lines.get(day)
      if (own) own.push(JSON.stringify(event))
      else lines.set(day, [JSON.stringify(event)])
      counts.events++
    } else batch.push(...clockRecords(encoder, step.clockAt))
    if (batch.length >= recordsPerSend) await flush()
  }
  await flush()
  for (const [day, own] of lines) {
    writeFileSync(join(folder, `${day}.jsonl`), `${own.join('\n')}\n`)
  }
  await producer.close()
  await kafka.close()
  return counts
}

interface Summary {
  readonly recordsPerSecond: number
  readonly total?: { readonly scores: number }
}

async function measure(
  stack: Stack,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Watched & { readonly summary: Summary }> {
  const done = await watched(process.execPath, [main, ...args, '--json'], signal, {
    ...process.env,
    KAFKA_BOOTSTRAP_SERVERS: stack.kafka.brokers.join(','),
    SCHEMA_REGISTRY_URL: stack.registry.url,
  })
  return { ...done, summary: JSON.parse(done.output) as Summary }
}
