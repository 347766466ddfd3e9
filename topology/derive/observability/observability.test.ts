// Does every alert and every panel ask for what exists, fire when it should, and lead somewhere?
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { findPrometheus } from '../../local/index.ts'
import { exposedNames, foreignMetrics, metricGroups } from '../../src/index.ts'
import { runbookOf, type Alert } from './alert.ts'
import { alerts } from './alerts.ts'
import { toDashboard } from './board.ts'
import { boards } from './boards/index.ts'
import { selectorsIn } from './promql.ts'
import { ruleGroups, ruleTestsYaml, rulesYaml } from './rules.ts'

const root = new URL('../../../', import.meta.url)
const ours = new Map(
  metricGroups
    .flatMap(({ metrics }) => Object.values(metrics))
    .flatMap((metric) => exposedNames(metric).map((name) => [name, metric.labels] as const)),
)
const recorded = new Set(
  ruleGroups.flatMap(({ rules }) =>
    rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
  ),
)
/** What Prometheus or prom-client adds to every series of ours. */
const everywhere = ['service', 'job', 'instance', 'le']

const ruleExprs = ruleGroups.flatMap(({ rules }) => rules.map(({ expr }) => expr))
const panels = boards.flatMap(({ rows }) => rows.flatMap((row) => row.panels))
const boardExprs = [
  ...panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
  ...boards.flatMap(({ annotations }) => annotations.map(({ expr }) => expr)),
]

test('expressions - each metric exists, and has the labels it is asked for', () => {
  for (const expr of [...ruleExprs, ...boardExprs]) {
    const selectors = selectorsIn(expr)
    assert.ok(selectors.length > 0, expr)
    for (const { metric, labels } of selectors) {
      if (recorded.has(metric) || (foreignMetrics as readonly string[]).includes(metric)) continue
      const own = ours.get(metric)
      assert.ok(own, `${metric} is exposed by nobody: ${expr}`)
      for (const label of labels) {
        assert.ok([...own, ...everywhere].includes(label), `${metric} has no ${label}: ${expr}`)
      }
    }
  }
})

test('selectorsIn - refuses what is no PromQL and finds names at any depth', () => {
  assert.throws(() => selectorsIn('sum(rate(x[1m])'))
  assert.deepEqual(selectorsIn('max by (a) (rate(x_total{b="1"}[$__rate_interval])) > on (c) y'), [
    { metric: 'x_total', labels: ['b'] },
    { metric: 'y', labels: [] },
  ])
})

test('metrics - each of ours is in a board or an alert', () => {
  const used = new Set([...ruleExprs, ...boardExprs].flatMap(selectorsIn).map((s) => s.metric))
  const unused = metricGroups
    .flatMap(({ metrics }) => Object.values(metrics))
    .filter((metric) => exposedNames(metric).every((name) => !used.has(name)))
    .map(({ name }) => name)
  assert.deepEqual(unused, [])
})

test('alerts - each leads to its own section of the runbook, which says what to look at and what to type', () => {
  const runbook = readFileSync(new URL('docs/runbook.md', root), 'utf8')
  const sections = new Map(
    runbook.split(/^### /m).map((section) => [section.split('\n', 1)[0]?.trim(), section]),
  )
  assert.equal(new Set(alerts.map(({ name }) => name)).size, alerts.length)
  for (const alert of alerts) {
    const section = sections.get(alert.name)
    assert.ok(section, `docs/runbook.md has no section ${alert.name}`)
    assert.equal(runbookOf(alert), `docs/runbook.md#${alert.name.toLowerCase()}`)
    assert.match(section, /^\*\*Look at\*\* /m, alert.name)
    assert.match(section, /^\*\*Type\*\*/m, alert.name)
    assert.match(section, /```sh\n[^`]+```/, alert.name)
  }
  const known = new Set(alerts.map(({ name }) => name))
  const orphans = [...sections.keys()].filter((name) => /^[A-Z]\w+$/.test(name ?? ''))
  assert.deepEqual(orphans.filter((name) => !known.has(name ?? '')), [])
})

test('alerts - drift and performance never page', () => {
  const drift = alerts.filter(({ expr }) => expr.includes('churnstream_monitor_'))
  assert.ok(drift.length > 0)
  assert.deepEqual(drift.filter(({ severity }) => severity === 'page'), [])
})

test('boards - uids are unique, and each panel says what it shows', () => {
  assert.equal(new Set(boards.map(({ uid }) => uid)).size, boards.length)
  for (const { title, about, queries } of panels) {
    assert.ok(about.length > 3 && queries.length > 0, title)
  }
})

test('boards - no panel lies on another, and the latency has exemplars', () => {
  for (const board of boards) {
    const { panels: placed = [] } = toDashboard(board)
    const taken = new Set<string>()
    for (const { gridPos } of placed) {
      assert.ok(gridPos)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(x < 24 && !taken.has(`${x} ${y}`), `${board.uid} at ${x} ${y}`)
          taken.add(`${x} ${y}`)
        }
      }
    }
  }
  assert.ok(JSON.stringify(boards.map(toDashboard)).includes('"exemplar":true'))
})

const { promtool, missing } = await findPrometheus()
const skip = missing === undefined ? false : `no promtool: ${missing}`

test('rules - Prometheus reads them; each alert fires and stays quiet as its cases say', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'churnstream-rules-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const run = promisify(execFile)
  writeFileSync(join(dir, 'rules.yml'), rulesYaml())
  writeFileSync(join(dir, 'rules.test.yml'), ruleTestsYaml('rules.yml'))
  const checked = await run(promtool as string, ['check', 'rules', join(dir, 'rules.yml')])
  const count = ruleGroups.reduce((sum, { rules }) => sum + rules.length, 0)
  assert.match(checked.stdout, new RegExp(`SUCCESS: ${count} rules found`))
  await run(promtool as string, ['test', 'rules', join(dir, 'rules.test.yml')])

  // The cases of one alert over an alert that never fires: promtool must say so.
  const never = rulesYaml().replace(/^( +- alert: LagHigh\n +expr: ).+$/m, '$1vector(0) > 1')
  writeFileSync(join(dir, 'rules.yml'), never)
  const [lag] = alerts.filter(({ name }) => name === 'LagHigh')
  writeFileSync(join(dir, 'rules.test.yml'), ruleTestsYaml('rules.yml', [lag as Alert]))
  const refused = run(promtool as string, ['test', 'rules', join(dir, 'rules.test.yml')])
  await assert.rejects(refused, /LagHigh[^]+exp: \{\} 1E\+00[^]+got: nil/)
})
