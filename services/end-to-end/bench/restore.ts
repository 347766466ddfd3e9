// npm run bench -- restore: how soon is a features replica ready that takes over a partition?
import { PartitionState } from '@churnstream/features'
import { createKafkajsKafka, createLog, type Kafka } from '@churnstream/runtime'
import { Schemas, clockKind, type PlayerState } from '@churnstream/schemas'
import { simulate } from '@churnstream/simulator'
import { clusterTopics, topics } from '@churnstream/topology'
import { freePorts, rssBytesOf, startStack, type OwnedProcess } from '@churnstream/topology/local'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../features/src/main.ts', import.meta.url))
const partition = 0
const templates = 500
const dayMs = 86_400_000
const historyDays = 90
const recordsPerSend = 2_000
const patienceMs = 300_000
const logSettleMs = 2_000

interface Replica {
  readonly child: OwnedProcess
  readonly url: string
}

/** What the service says when a partition is restored. */
interface Restored {
  readonly atMs: number
  readonly players: number
  readonly seconds: number
}

export async function benchRestore(options: {
  readonly dataDir: string
  readonly players: number
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Record<string, number | string>> {
  const { dataDir, players, signal, onProgress } = options
  const parts = ['kafka', 'registry'] as const
  await using stack = await startStack({
    dataDir,
    ports: 'free',
    parts: [...parts],
    signal,
    onProgress,
  })
  const kafka = createKafkajsKafka({
    brokers: stack.kafka.brokers,
    clientId: 'bench',
    log: createLog('bench', 'silent'),
  })
  await kafka.ensureTopics(clusterTopics())
  let started = 0
  const start = async (): Promise<Replica> => {
    const [port] = (await freePorts(1)) as [number]
    const child = stack.spawn({
      name: `features-${++started}`,
      command: process.execPath,
      args: [main],
      logFile: join(dataDir, 'service-logs', `features-${started}.log`),
      env: {
        KAFKA_BOOTSTRAP_SERVERS: stack.kafka.brokers.join(','),
        SCHEMA_REGISTRY_URL: stack.registry.url,
        HTTP_PORT: String(port),
      },
    })
    return { child, url: `http://127.0.0.1:${port}/health/ready` }
  }

  const empty = await start()
  await until('a replica without players is ready', signal, () => isReady(empty))
  const emptyMb = Math.round(rssBytesOf(empty.child.pid) / 1e6)
  await empty.child.stop()

  const written = await writeStates(kafka, stack.registry.url, players)
  const megabytes = Math.round(written.bytes / 1e6)
  onProgress(`${written.records} states of ${players} players, ${megabytes} MB`)
  const bareSeconds = await readBare(kafka)
  await kafka.close()

  const startedAt = performance.now()
  const first = await start()
  await until('the first replica is ready', signal, () => isReady(first))
  const readySeconds = (performance.now() - startedAt) / 1000
  const restored = restoredOf(first)
  if (restored?.players !== players) {
    throw new Error(`${restored?.players} of ${players} players were restored`)
  }
  const rssMb = Math.round(rssBytesOf(first.child.pid) / 1e6)

  const second = await start()
  await until('both are ready', signal, async () => (await isReady(first)) && isReady(second))
  // By then their logs say so. Whose restore of the partition is the newest owns it.
  await delay(logSettleMs, undefined, { signal })
  const [owner, other] =
    (restoredOf(second)?.atMs ?? 0) > (restoredOf(first)?.atMs ?? 0)
      ? [second, first]
      : [first, second]
  const killedAtMs = Date.now()
  await owner.child.kill9()
  await until('the partition is taken over', signal, async () => {
    return (restoredOf(other)?.atMs ?? 0) > killedAtMs && isReady(other)
  })
  const takeover = restoredOf(other) as Restored
  await other.child.stop()
  return {
    players,
    'changelog records': written.records,
    'changelog MB': megabytes,
    'bytes a record': Math.round(written.bytes / written.records),
    'start to ready, s': rounded(readySeconds),
    'of which restoring, s': rounded(restored.seconds),
    'players a second': Math.round(players / restored.seconds),
    'a bare read of the same records, s': rounded(bareSeconds),
    'restoring / bare read': rounded(restored.seconds / bareSeconds),
    'replica MB after restoring': rssMb,
    'of which without players': emptyMb,
    'MB for a million players, in proportion': Math.round(
      emptyMb + ((rssMb - emptyMb) * 1e6) / players,
    ),
    'restoring a million, s': rounded((restored.seconds * 1e6) / players),
    'kill -9 of the owner to restored elsewhere, s': rounded((takeover.atMs - killedAtMs) / 1000),
    'of which restoring, s (taking over)': rounded(takeover.seconds),
  }
}

/** States of simulated players, many times over: each has one record, every second one two. */
async function writeStates(
  kafka: Kafka,
  registryUrl: string,
  players: number,
): Promise<{ records: number; bytes: number }> {
  const { name: topic } = topics.playerState
  const encoder = await new Schemas({ url: registryUrl }).encoderOf(topics.playerState)
  const states = simulatedStates()
  const producer = await kafka.openProducer()
  let [records, bytes] = [0, 0]
  let batch: { topic: string; partition: number; key: string; value: Buffer }[] = []
  const flush = async (): Promise<void> => {
    await producer.send(batch)
    batch = []
  }
  for (const round of [1, 2]) {
    for (let index = 0; index < players; index += round) {
      const playerId = `player-${index}`
      const state = { ...(states[index % states.length] as PlayerState), playerId }
      const value = encoder.encode(state)
      records++
      bytes += value.length
      batch.push({ topic, partition, key: playerId, value })
      if (batch.length === recordsPerSend) await flush()
    }
  }
  await flush()
  await producer.close()
  return { records, bytes }
}

function simulatedStates(): PlayerState[] {
  const state = new PartitionState()
  const startAt = Date.UTC(2026, 0, 1)
  const endAt = startAt + historyDays * dayMs
  const steps = simulate({ seed: 5, players: templates, startAt, endAt, clockEveryMs: dayMs })
  const newest = new Map<string, PlayerState>()
  let offset = 0
  for (const step of steps) {
    if ('event' in step && step.event.kind !== clockKind) state.onActivity(step.event, offset++)
    else if (!('event' in step)) state.onClock(step.clockAt, offset++)
    for (const change of state.takeChanges()) newest.set(change.playerId, change)
  }
  return [...newest.values()]
}

async function readBare(kafka: Kafka): Promise<number> {
  const startedAt = performance.now()
  let records = 0
  for await (const batch of kafka.read(topics.playerState.name, partition)) records += batch.length
  if (records === 0) throw new Error('nothing was read')
  return (performance.now() - startedAt) / 1000
}

async function isReady({ url }: Replica): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined)
  return answer?.ok ?? false
}

/** The newest one of the partition. */
function restoredOf({ child }: Replica): Restored | undefined {
  const lines = readFileSync(child.logFile, 'utf8').trimEnd().split('\n')
  const line = lines.findLast(
    (text) => text.includes('"state restored"') && text.includes(`"partition":${partition},`),
  )
  if (line === undefined) return undefined
  const { time, entries, seconds } = JSON.parse(line) as {
    time: number
    entries: number
    seconds: number
  }
  return { atMs: time, players: entries, seconds }
}

async function until(
  what: string,
  signal: AbortSignal,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${patienceMs / 1000} s: ${what}`)
    await delay(20, undefined, { signal })
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100
