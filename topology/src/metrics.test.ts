// Does the registry of metrics hold what its types cannot say?
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { metricGroups, metricLabels, type Metric } from './metrics/index.ts'
import { processIds } from './services.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const all: Metric[] = metricGroups.flatMap(({ metrics }) => Object.values(metrics))

test('metrics - a name is defined once, in our namespace and with its unit', () => {
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length)
  for (const { name, kind, unit } of all) {
    assert.match(name, /^churnstream_[a-z]+(_[a-z]+)*$/)
    assert.equal(name.endsWith('_total'), kind === 'counter', name)
    if (kind === 'counter') continue
    const ending = { instant: '_timestamp_seconds', boolean: '', occurrences: '' } as const
    assert.ok(
      name.endsWith(unit in ending ? ending[unit as keyof typeof ending] : `_${unit}`),
      name,
    )
  }
})

test('metrics - only histograms have buckets, and they ascend', () => {
  for (const { name, kind, buckets } of all) {
    assert.equal(buckets !== undefined, kind === 'histogram', name)
    assert.deepEqual(
      buckets ?? [],
      [...(buckets ?? [])].sort((a, b) => a - b),
      name,
    )
  }
})

test('metrics - every label is used, and an initial series has exactly the labels of its metric', () => {
  const used = new Set(all.flatMap((metric) => metric.labels))
  assert.deepEqual(
    Object.keys(metricLabels).filter((label) => !used.has(label as never)),
    [],
  )
  for (const { name, labels: own, initial = [] } of all) {
    for (const series of initial) assert.deepEqual(Object.keys(series), [...own], name)
  }
})

test('metrics - a name stands nowhere but here, and only the runtime makes metrics', () => {
  const files = globSync(['services/**/*.ts', 'topology/{src,local}/**/*.ts'], {
    cwd: root,
    exclude: (name) => name === 'node_modules',
  }).filter((file) => !file.endsWith('.test.ts') && !file.startsWith('topology/src/metrics/'))
  assert.ok(files.length > 100)
  for (const file of files) {
    const text = readFileSync(`${root}${file}`, 'utf8')
    assert.doesNotMatch(text, /['"`]churnstream_[a-z_]+['"`]/, file)
    if (!file.startsWith('services/runtime/')) {
      assert.doesNotMatch(text, /^import \{(?! *type)[^}]*\} from 'prom-client'/m, file)
    }
  }
})

test('metrics - every process exposes something of its own or of its loop', () => {
  for (const id of processIds) {
    const own = metricGroups.filter(({ exposedBy }) => exposedBy.includes(id))
    assert.ok(own.length > 1, id)
  }
})
