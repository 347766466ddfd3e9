// Do spans reach a collector as they were?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { pino } from 'pino'
import { openTracing, type Span } from './tracing.ts'

interface Exported {
  readonly resourceSpans: {
    readonly resource: { readonly attributes: { key: string; value: { stringValue: string } }[] }
    readonly scopeSpans: { readonly spans: Record<string, unknown>[] }[]
  }[]
}

const log = pino({ level: 'silent' })
const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const span: Span = {
  name: 'features player-activity',
  kind: 'consumer',
  trace,
  parent: { traceId: trace.traceId, spanId: 'c'.repeat(16) },
  startedAt: 1_700_000_000_000,
  endedAt: 1_700_000_000_250,
  attributes: { outcome: 'emit' },
}

/** A collector that keeps what it is sent. */
async function collector(t: TestContext, status = 200) {
  const received: { path: string | undefined; body: Exported }[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ path: request.url, body: JSON.parse(String(Buffer.concat(chunks))) })
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { received, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('openTracing - a span arrives with its ids, times and service', async (t) => {
  const { received, endpoint } = await collector(t)
  {
    await using tracing = await openTracing({ service: 'features', endpoint, log })
    tracing.ended(span)
    tracing.ended({ ...span, parent: undefined, trace: { ...trace, spanId: 'd'.repeat(16) } })
  }
  assert.deepEqual(
    received.map(({ path }) => path),
    ['/v1/traces'],
  )
  const [resource] = received[0]?.body.resourceSpans ?? []
  assert.deepEqual(resource?.resource.attributes, [
    { key: 'service.name', value: { stringValue: 'features' } },
  ])
  const spans = resource?.scopeSpans[0]?.spans ?? []
  const { traceId, spanId, parentSpanId, name, kind, startTimeUnixNano, endTimeUnixNano } =
    spans[0] ?? {}
  assert.deepEqual(
    { traceId, spanId, parentSpanId, name, kind, startTimeUnixNano, endTimeUnixNano },
    {
      traceId: trace.traceId,
      spanId: trace.spanId,
      parentSpanId: span.parent?.spanId,
      name: span.name,
      kind: 5,
      startTimeUnixNano: '1700000000000000000',
      endTimeUnixNano: '1700000000250000000',
    },
  )
  assert.equal(spans[1]?.['traceId'], trace.traceId)
  assert.equal(spans[1]?.['parentSpanId'], undefined)
})

test('openTracing - a collector that is away holds up no shutdown', async () => {
  const lines: string[] = []
  const told = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
  // Nothing listens on the discard port.
  const endpoint = 'http://127.0.0.1:9'
  {
    await using tracing = await openTracing({ service: 'features', endpoint, log: told })
    tracing.ended(span)
  }
  assert.ok(lines.length > 0 && lines.every((line) => line.includes('spans are lost')))
})
