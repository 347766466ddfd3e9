// Is the queue's timer there when a request waits for it, and only then?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { patchRequestQueue } from './request-queue.ts'
import type { RequestQueue } from './request-queue.ts'

interface Request {
  entry: { correlationId: number; resolve(): void; reject(): void }
  expectResponse: boolean
  sendRequest(): void
}

interface Queue extends RequestQueue {
  push(request: Request): void
  fulfillRequest(response: { correlationId: number; payload: Buffer; size: number }): void
  maybeThrottle(ms: number): void
  destroy(): void
}

type QueueClass = { prototype: Queue; new (options: object): Queue }

const require = createRequire(import.meta.url)
const file = require.resolve('kafkajs/src/network/requestQueue/index.js')

function loadClass(): QueueClass {
  delete require.cache[file]
  const loaded: QueueClass = require(file)
  return loaded
}

function patchedClass(): QueueClass {
  const loaded = loadClass()
  patchRequestQueue(loaded)
  return loaded
}

function createQueue(t: TestContext, Class: QueueClass, maxInFlightRequests: number | null = null) {
  const logger = { debug() {}, warn() {} }
  const queue = new Class({ maxInFlightRequests, requestTimeout: 1000, logger, broker: 'b:1' })
  t.after(() => queue.destroy())
  return queue
}

function request(correlationId: number, sent: number[]): Request {
  return {
    entry: { correlationId, resolve() {}, reject() {} },
    expectResponse: true,
    sendRequest: () => sent.push(correlationId),
  }
}

test('patchRequestQueue - an idle queue runs no timer, where stock runs one for ever', (t) => {
  const timers: { run: () => void; waitMs: number }[] = []
  t.mock.method(globalThis, 'setTimeout', (run: () => void, waitMs: number) =>
    timers.push({ run, waitMs }),
  )

  createQueue(t, patchedClass()).checkPendingRequests()
  assert.equal(timers.length, 0)

  createQueue(t, loadClass()).checkPendingRequests()
  for (let round = 0; round < 50; round++) timers.at(-1)?.run()
  assert.equal(timers.length, 51)
  assert.ok(timers.every(({ waitMs }) => waitMs < 0))
})

test('patchRequestQueue - a throttled request goes out when the throttle ends', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const queue = createQueue(t, patchedClass())
  const sent: number[] = []
  queue.maybeThrottle(40)
  queue.push(request(1, sent))
  t.mock.timers.tick(39)
  assert.deepEqual(sent, [])
  t.mock.timers.tick(1)
  assert.deepEqual(sent, [1])
})

test('patchRequestQueue - a throttle that grows while a request waits is waited for', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const queue = createQueue(t, patchedClass())
  const sent: number[] = []
  queue.maybeThrottle(40)
  queue.push(request(1, sent))
  queue.maybeThrottle(60)
  t.mock.timers.tick(40)
  assert.deepEqual(sent, [])
  t.mock.timers.tick(20)
  assert.deepEqual(sent, [1])
})

test('patchRequestQueue - a throttle that ends while queueing does not strand the request', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const queue = createQueue(t, patchedClass())
  const sent: number[] = []
  queue.maybeThrottle(40)
  queue.push(request(1, sent))
  clearTimeout(queue.throttleCheckTimeoutId ?? undefined)
  queue.throttleCheckTimeoutId = null
  t.mock.timers.tick(41)
  queue.scheduleCheckPendingRequests()
  t.mock.timers.tick(1)
  assert.deepEqual(sent, [1])
})

test('patchRequestQueue - with all slots taken the response sends the next request', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const queue = createQueue(t, patchedClass(), 1)
  const sent: number[] = []
  queue.push(request(1, sent))
  queue.push(request(2, sent))
  assert.equal(queue.throttleCheckTimeoutId, null)
  assert.deepEqual(sent, [1])
  queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 })
  assert.deepEqual(sent, [1, 2])
})
