// Does who watches see everything, and no player?
import { clockRecords } from '@churnstream/ingestion'
import { until } from '@churnstream/runtime/testing'
import { Schemas } from '@churnstream/schemas'
import { drive, postEvents, simulate } from '@churnstream/simulator'
import {
  ingestionMetrics,
  loopMetrics,
  metricGroups,
  processIds,
  services,
  topics,
  type ServiceId,
} from '@churnstream/topology'
import { findPrometheus } from '@churnstream/topology/local'
import { boards, ruleGroups } from '@churnstream/topology/observability'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { depositOf } from '../pipeline/deposit.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { askPrometheus, isAnswered, queryPrometheus } from '../pipeline/prometheus.ts'

const { missing } = await findPrometheus()
const options = { skip: missing === undefined ? false : `no Prometheus: ${missing}` }

const dayMs = 86_400_000
const ids = processIds
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-monitoring-'))
const ended = new AbortController()
const failures: string[] = []
const players = new Set<string>()
const collected: Record<string, unknown>[] = []
let pipeline: Pipeline
let playing: Promise<unknown> = Promise.resolve()

/** Takes spans, as a collector does. */
const collector = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { resourceSpans } = JSON.parse(String(Buffer.concat(chunks)))
    for (const { scopeSpans } of resourceSpans) collected.push(...scopeSpans[0].spans)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
})

before(async () => {
  if (missing !== undefined) return
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    monitoring: true,
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
    env: Object.fromEntries(ids.map((id) => [id, env])),
  })
  playing = play()
})
after(async () => {
  ended.abort()
  await playing
  await pipeline?.[Symbol.asyncDispose]()
  collector.close()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

/** Simulated players in the background, so that every rate is one. */
async function play(): Promise<void> {
  const schemas = new Schemas({ url: pipeline.stack.registry.url })
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const producer = await pipeline.kafka.openProducer()
  const post = postEvents(pipeline.urls.ingestion, { key: pipeline.apiKey })
  const endAt = Date.now()
  const startAt = endAt - 200 * dayMs
  await drive({
    steps: simulate({ seed: 7, players: 1_500, startAt, endAt, signUpDays: 10 }),
    ratePerSecond: 50,
    signal: ended.signal,
    post(events, posting) {
      for (const { playerId } of events) players.add(playerId)
      return post(events, posting)
    },
    async writeClock(atMs) {
      await producer.send(clockRecords(encoder, atMs))
    },
    onAcknowledged: () => undefined,
  })
  await producer.close()
}

const ask = <T>(path: string, parameters?: Record<string, string>) =>
  askPrometheus<T>(pipeline.stack.prometheus.url, path, parameters)
const query = (expr: string) => queryPrometheus(pipeline.stack.prometheus.url, expr)

test(
  '/metrics - a service exposes what the topology says of it, and nothing else of ours',
  options,
  async () => {
    for (const id of ids) {
      const response = await fetch(`${pipeline.urls[id]}/metrics`)
      assert.match(response.headers.get('content-type') ?? '', /^application\/openmetrics-text/)
      const page = await response.text()
      const exposed = [...page.matchAll(/^# TYPE (churnstream_\S+) (\S+)$/gm)].map(
        ([, name, kind]) => (kind === 'counter' ? `${name}_total` : (name as string)),
      )
      const expected = metricGroups
        .filter(({ exposedBy }) => exposedBy.includes(id))
        .flatMap(({ metrics }) => Object.values(metrics).map(({ name }) => name))
      assert.deepEqual(exposed.sort(), expected.sort(), services[id].name)
    }
  },
)

test('Prometheus - reads every service, and evaluates every rule', options, async () => {
  await until('every service is read', async () => {
    const up = await query('up == 1')
    return ids.every((id) => up.some(({ metric }) => metric['job'] === services[id].name))
  })
  await until('every rule was evaluated', async () => {
    const { groups } = await ask<{
      groups: { rules: { name: string; health: string; lastError?: string }[] }[]
    }>('rules')
    const rules = groups.flatMap((group) => group.rules)
    const broken = rules.filter(({ health }) => health === 'err')
    assert.deepEqual(broken, [])
    const count = ruleGroups.reduce((sum, group) => sum + group.rules.length, 0)
    assert.equal(rules.length, count)
    return rules.every(({ health }) => health === 'ok')
  })
})

for (const { uid, rows } of boards) {
  test(
    `${uid} - every panel answers with figures, but for those where nothing is normal`,
    options,
    async () => {
      for (const { title, queries, emptyWhen } of rows.flatMap((row) => row.panels)) {
        for (const { expr, emptyWhen: own } of queries) {
          if ((own ?? emptyWhen) === undefined) {
            await until(`${title}: ${expr}`, async () => isAnswered(await query(expr)))
          } else await query(expr)
        }
      }
    },
  )
}

test(
  'alerts - every expression is answered, and a healthy pipeline is quiet',
  options,
  async () => {
    for (const { rules } of ruleGroups) {
      for (const rule of rules) {
        const vector = await query(rule.expr)
        if ('record' in rule) assert.ok(isAnswered(vector), rule.record)
      }
    }
    const firing = await query('ALERTS{alertstate="firing",severity="page"}')
    // On a machine that is busy with other tests scores may be late.
    const others = firing.filter(({ metric }) => !/BudgetBurns/.test(metric['alertname'] ?? ''))
    assert.deepEqual(others, [])
  },
)

test('ledger - every committed record has one outcome, in each partition', options, async () => {
  const { consumed, records } = loopMetrics
  const by = 'sum by (service, topic, partition)'
  // In one answer of one process both are of the same moment.
  for (const id of ids) {
    const page = await (await fetch(`${pipeline.urls[id]}/metrics`)).text()
    const sums = (name: string) => {
      const found = new Map<string, number>()
      for (const [, labels, value] of page.matchAll(
        new RegExp(`^${name}\\{(.+)\\} (\\d+)$`, 'gm'),
      )) {
        const partition = (labels as string).replace(/,outcome="[^"]+"/, '')
        found.set(partition, (found.get(partition) ?? 0) + Number(value))
      }
      return found
    }
    assert.deepEqual(sums(records.name), sums(consumed.name), services[id].name)
  }
  const all = await query(`${by} (${consumed.name}) > 0`)
  assert.ok(all.length >= topics.playerActivity.partitions, `${all.length} partitions were counted`)
})

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const player = 'wanda-of-the-log'
const amount = 4_321.125

test(
  'trace - one id from the HTTP request to the row, in logs, spans and exemplars',
  options,
  async () => {
    const event = { ...depositOf(player, 'traced-event', Date.now()), amount }
    const answer = await fetch(`${pipeline.urls.ingestion}/v1/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${pipeline.apiKey}`,
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      },
      body: JSON.stringify(event),
    })
    assert.equal(answer.status, 202)

    await using database = new AsyncDisposableStack()
    const client = new Client({ connectionString: pipeline.stack.postgres.url('churnstream') })
    await client.connect()
    database.defer(() => client.end())
    const rows = async (where: string) =>
      (await client.query(`SELECT cause_event_id, player_id FROM score_history WHERE ${where}`))
        .rows
    await until('the row', async () => (await rows(`trace_id = '${traceId}'`)).length > 0)
    assert.deepEqual(await rows(`trace_id = '${traceId}'`), [
      { cause_event_id: 'traced-event', player_id: player },
    ])
    assert.ok((await rows('trace_id IS NULL LIMIT 1')).length > 0)

    const path = [
      'POST /v1/events',
      'features player-activity',
      'scorer feature-vectors',
      'sinks churn-scores',
    ]
    const spans = () => collected.filter((span) => span['traceId'] === traceId)
    // The monitor reads churn-scores too, beside the sinks.
    const spanOf = (name: string) => spans().find((span) => span['name'] === name)
    await until('a span of each', () => path.every((name) => spanOf(name) !== undefined))
    const inOrder = path.map(spanOf)
    assert.deepEqual(
      inOrder.map((span) => span?.['parentSpanId']),
      ['00f067aa0ba902b7', ...inOrder.slice(0, -1).map((span) => span?.['spanId'])],
    )
    for (const id of ['ingestion', 'features', 'scorer', 'sinks'] as const) {
      const lines = logOf(id)
        .split('\n')
        .filter((line) => line.includes(traceId))
      assert.equal(lines.length, 1, `${id}: ${lines.join('\n')}`)
      if (id === 'scorer') assert.match(lines[0] as string, /"modelVersion":"\d+"/)
    }
    await until('the exemplar', async () => {
      const now = Date.now() / 1000
      const found = await ask<{ exemplars: { labels: Record<string, string> }[] }[]>(
        'query_exemplars',
        {
          query: `${loopMetrics.eventToCommit.name}_bucket{job="scorer"}`,
          start: String(now - 300),
          end: String(now + 10),
        },
      )
      return found.some((one) => one.exemplars.some(({ labels }) => labels['trace_id'] === traceId))
    })
  },
)

const logOf = (id: ServiceId): string =>
  readFileSync(join(dataDir, 'service-logs', `${services[id].name}.log`), 'utf8')

test('logs - JSON lines that name no player and no amount, whatever came in', options, async () => {
  const refused = { ...depositOf(player, 'refused-event', Date.now()), amount: -amount }
  for (const body of [JSON.stringify(refused), `{"playerId": "${player}", `]) {
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${pipeline.apiKey}`,
    }
    await fetch(`${pipeline.urls.ingestion}/v1/events`, { method: 'POST', headers, body })
  }
  const producer = await pipeline.kafka.openProducer()
  const { name } = topics.playerActivity
  const value = Buffer.from(`${player} ${amount}`)
  await producer.send([{ topic: name, partition: 0, key: player, value }])
  await producer.close()
  await until('the poison is told of', () => logOf('features').includes('records set aside'))
  await until('the refusals are counted', async () => {
    const rejected = await query(`sum(${ingestionMetrics.events.name}{verdict="rejected"}) >= 2`)
    return rejected.length > 0
  })

  assert.ok(players.size > 20, `${players.size} players`)
  const secrets = new Set([...players, player, String(amount), String(-amount)])
  for (const id of ids) {
    const lines = logOf(id)
      .split('\n')
      .filter((line) => line !== '')
    assert.ok(lines.length > 0, id)
    for (const line of lines) {
      assert.equal(typeof JSON.parse(line), 'object', line)
      const told = (line.match(/[\w.-]+/g) ?? []).filter((word) => secrets.has(word))
      assert.deepEqual(told, [], line)
    }
  }
})
