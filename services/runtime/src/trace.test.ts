// Which headers are a trace, and which are none?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childOf, newTrace, parseTraceparent, toTraceparent, traceOf } from './trace.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const context = { traceId, spanId }

for (const [text, expected] of [
  [`00-${traceId}-${spanId}-01`, { context, isSampled: true }],
  [`00-${traceId}-${spanId}-00`, { context, isSampled: false }],
  [`00-${traceId}-${spanId}-03`, { context, isSampled: true }],
  [`cc-${traceId}-${spanId}-01-what-comes-later`, { context, isSampled: true }],
  [`00-${traceId}-${spanId}-01-more`, undefined],
  [`ff-${traceId}-${spanId}-01`, undefined],
  [`00-${traceId.toUpperCase()}-${spanId}-01`, undefined],
  [`00-${'0'.repeat(32)}-${spanId}-01`, undefined],
  [`00-${traceId}-${'0'.repeat(16)}-01`, undefined],
  [`00-${traceId}-${spanId}`, undefined],
  ['', undefined],
] as const) {
  test(`parseTraceparent - ${text || 'nothing'}`, () => {
    assert.deepEqual(parseTraceparent(text), expected)
  })
}

test('traceOf - only the header of a sampled request counts, and only once', () => {
  const header = (flags: string) => Buffer.from(`00-${traceId}-${spanId}-${flags}`)
  assert.deepEqual(traceOf({ traceparent: header('01') }), context)
  assert.equal(traceOf({ traceparent: header('00') }), undefined)
  assert.equal(traceOf({}), undefined)
  const twice = [header('01'), header('01')] as unknown as Buffer
  assert.equal(traceOf({ traceparent: twice }), undefined)
})

test('childOf - another span of the same trace', () => {
  const trace = newTrace()
  const child = childOf(trace)
  assert.equal(child.traceId, trace.traceId)
  assert.notEqual(child.spanId, trace.spanId)
  assert.deepEqual(parseTraceparent(toTraceparent(child)), { context: child, isSampled: true })
})
