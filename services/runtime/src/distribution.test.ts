// Does our histogram say what prom-client's would?
import { loopMetrics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram, type Registry } from 'prom-client'
import { createDistribution, createInstruments } from './instruments.ts'

const metric = loopMetrics.eventToCommit

test('Distribution - the same page as prom-client for the same values', async () => {
  const [ours, theirs] = [createInstruments(), createInstruments()]
  const distribution = createDistribution(ours, metric).of({ service: 'scorer' })
  const histogram = new Histogram({
    name: metric.name,
    help: metric.help,
    labelNames: metric.labels,
    buckets: [...metric.buckets],
    registers: [theirs as unknown as Registry],
  })
  for (const value of [0, 0.01, 0.0100001, 0.7, 1, 29, 300, 301, 1e9]) {
    distribution.add(value)
    histogram.observe({ service: 'scorer' }, value)
  }
  assert.equal(await ours.metrics(), await theirs.metrics())
})

test('Distribution - the newest trace id of each size is its example', async () => {
  const registry = createInstruments()
  const distribution = createDistribution(registry, metric).of({})
  distribution.add(0.4, 'aa')
  distribution.add(0.45, 'bb')
  distribution.add(0.46)
  const text = await registry.metrics()
  assert.match(text, /_bucket\{le="0\.5"\} 3 # \{trace_id="bb"\} 0\.45 \d{10}/)
  assert.equal(text.match(/trace_id/g)?.length, 1)
})
