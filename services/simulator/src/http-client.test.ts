// Does the client read each answer of ingestion as it is meant?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { TransientError } from '@churnstream/runtime/errors'
import type { PlayerActivity } from '@churnstream/schemas'
import { postEvents } from './http-client.ts'

const never = new AbortController().signal
const event: PlayerActivity = {
  eventId: 'e1',
  kind: 'deposit',
  playerId: 'p',
  occurredAt: 5,
  market: 'gb',
  acquisitionSource: null,
  product: null,
  stake: null,
  payout: null,
  odds: null,
  inPlay: null,
  amount: 0,
}

async function serve(answer: RequestListener) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}

test('postEvents - posts without null fields, on one kept connection, and reads the verdicts', async () => {
  const bodies: string[] = []
  let connections = 0
  const results = [{ eventId: 'e1', status: 'accepted', partition: 3, offset: 9 }]
  await using served = await serve((request, response) => {
    assert.equal(request.url, '/v1/events')
    void bodyOf(request).then((body) => {
      bodies.push(body)
      response.writeHead(202).end(JSON.stringify({ results }))
    })
  })
  served.server.on('connection', () => connections++)
  const post = postEvents(`${served.url}/`)
  assert.deepEqual(await post([event], never), results)
  assert.deepEqual(await post([event], never), results)
  const sent = {
    eventId: 'e1',
    kind: 'deposit',
    playerId: 'p',
    occurredAt: 5,
    market: 'gb',
    amount: 0,
  }
  assert.deepEqual(JSON.parse(bodies[0] ?? ''), { events: [sent] })
  assert.equal(connections, 1)
})

test('postEvents - 400 with results is a verdict, without results an error', async () => {
  let body = JSON.stringify({ results: [{ eventId: 'e1', status: 'rejected', reason: 'x' }] })
  await using served = await serve((_, response) => response.writeHead(400).end(body))
  const post = postEvents(served.url)
  assert.equal((await post([event], never))[0]?.status, 'rejected')
  body = 'no'
  await assert.rejects(post([event], never), (error) => !(error instanceof TransientError))
})

test('postEvents - 503 asks to come again after Retry-After', async () => {
  await using served = await serve((_, response) =>
    response.writeHead(503, { 'retry-after': '2' }).end(),
  )
  await assert.rejects(
    postEvents(served.url)([event], never),
    (error) => error instanceof TransientError && error.retryAfterMs === 2000,
  )
})

test('postEvents - deferred events are sent again, they alone and in order', async () => {
  const sent: string[][] = []
  const accepted = (eventId: string) => ({ eventId, status: 'accepted', partition: 0, offset: 1 })
  await using served = await serve((request, response) => {
    void bodyOf(request).then((body) => {
      const { events } = JSON.parse(body) as { events: { eventId: string }[] }
      const ids = events.map(({ eventId }) => eventId)
      sent.push(ids)
      // The second request breaks: what was taken before must not be sent with the rest again.
      if (sent.length === 2) return response.writeHead(503, { 'retry-after': '0' }).end()
      const results = ids.map((eventId, index) =>
        index === 0 ? accepted(eventId) : { eventId, status: 'deferred', retryAfterMs: 1 },
      )
      return response.writeHead(202).end(JSON.stringify({ results }))
    })
  })
  const events = ['a', 'b', 'c'].map((eventId) => ({ ...event, eventId }))
  const verdicts = await postEvents(served.url)(events, never)
  assert.deepEqual(
    verdicts,
    ['a', 'b', 'c'].map((eventId) => accepted(eventId)),
  )
  assert.deepEqual(sent, [['a', 'b', 'c'], ['b', 'c'], ['b', 'c'], ['c']])
})

test('postEvents - a broken connection and a missing answer are transient', async () => {
  await using served = await serve((request) => request.socket.destroy())
  await assert.rejects(postEvents(served.url)([event], never), TransientError)
  await using silent = await serve(() => {})
  await assert.rejects(postEvents(silent.url, { timeoutMs: 20 })([event], never), TransientError)
})

test('postEvents - an abort ends a request', async () => {
  const stop = new AbortController()
  await using silent = await serve(() => stop.abort())
  await assert.rejects(postEvents(silent.url)([event], stop.signal))
})
