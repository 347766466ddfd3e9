// Does a release that does not run well leave what ran before?
import { findCheckers } from '@churnstream/topology/local'
import { loopMetrics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const checkers = await findCheckers()
const skip = checkers.missing === undefined ? false : `no kustomize: ${checkers.missing}`
const script = fileURLToPath(new URL('release.sh', import.meta.url))
const imageOf = (name: string, digit: string) =>
  `registry.example/churnstream/${name}@sha256:${digit.repeat(64)}`
const names = ['services', 'mlflow', 'dagster', 'strimzi-connect']
const before = names.map((name) => imageOf(name, 'a'))
const next = names.map((name) => imageOf(name, 'b'))
const [services = '', mlflow = ''] = next

/**
 * Stands for a cluster: keeps what was applied, says what runs, and refuses to roll out what a test
 * says is broken. Services of it answer at one address of ours.
 */
const kubectl = `#!/usr/bin/env bash
set -euo pipefail
echo "$*" >> "$CLUSTER/calls"
case "$*" in
  apply*) n=$(find "$CLUSTER" -name 'applied-*' | wc -l); cat > "$CLUSTER/applied-$n"; cp "$CLUSTER/applied-$n" "$CLUSTER/now" ;;
  *get*deployment/ingestion*) printf %s "$BEFORE_0" ;;
  *get*deployment/mlflow*) printf %s "$BEFORE_1" ;;
  *get*deployment/dagster-code*) printf %s "$BEFORE_2" ;;
  *get*kafkaconnect*) printf %s "$BEFORE_3" ;;
  *get*deployments,statefulsets*) printf 'deployment.apps/ingestion\\nstatefulset.apps/scorer\\n' ;;
  *get*service/fused*) [[ -z $FUSED ]] || echo service/fused ;;
  *rollout*scorer*) ! grep -q "$BROKEN" "$CLUSTER/now" ;;
  *port-forward*) echo "Forwarding from 127.0.0.1:$PORT -> 8080"; exec sleep 600 ;;
esac
`

interface Released {
  readonly code: number
  readonly told: string
  readonly applied: readonly string[]
}

async function release(options: {
  broken?: string
  newestSecondsOld?: number
  firstTime?: boolean
  isFused?: boolean
}): Promise<Released> {
  const cluster = mkdtempSync(join(tmpdir(), 'churnstream-release-'))
  const file = join(cluster, 'kubectl')
  writeFileSync(file, kubectl)
  chmodSync(file, 0o755)
  const now = Date.now() / 1000
  const server = createServer((request, response) => {
    const newest = now - (options.newestSecondsOld ?? 10)
    const { name } = loopMetrics.newestCommitted
    response.end(request.url === '/metrics' ? `${name}{service="features"} ${newest}\n` : '{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const [node] = [dirname(process.execPath)]
    const { code, told } = await new Promise<{ code: number; told: string }>((resolve) => {
      execFile(
        script,
        ['staging', ...next],
        {
          env: {
            ...process.env,
            PATH: [cluster, node, process.env['PATH']].join(delimiter),
            KUSTOMIZE: checkers.kustomize ?? '',
            CLUSTER: cluster,
            PORT: String((server.address() as AddressInfo).port),
            BROKEN: options.broken ?? 'nothing is broken',
            ...Object.fromEntries(
              before.map((image, index) => [`BEFORE_${index}`, options.firstTime ? '' : image]),
            ),
            FUSED: options.isFused === true ? 'yes' : '',
            SMOKE_SECONDS: '0',
          },
        },
        (error, stdout, stderr) =>
          resolve({ code: Number(error?.code ?? 0), told: `${stdout}${stderr}` }),
      )
    })
    const applied: string[] = []
    while (existsSync(join(cluster, `applied-${applied.length}`))) {
      applied.push(readFileSync(join(cluster, `applied-${applied.length}`), 'utf8'))
    }
    return { code, told, applied }
  } finally {
    server.close()
    rmSync(cluster, { recursive: true })
  }
}

test('release.sh - what runs well stays', { skip }, async () => {
  const { code, told, applied } = await release({})
  assert.equal(code, 0, told)
  assert.equal(applied.length, 1)
  for (const image of next) assert.ok(applied[0]?.includes(image), image)
})

test('release.sh - what does not start gives way to what ran before', { skip }, async () => {
  const { code, told, applied } = await release({ broken: services })
  assert.equal(code, 1)
  assert.match(told, /back to .*services@sha256:aaaa.*strimzi-connect@sha256:aaaa/)
  assert.equal(applied.length, 2)
  for (const image of before) assert.ok(applied[1]?.includes(image), image)
  for (const image of next) assert.ok(!applied[1]?.includes(image), image)
})

test('release.sh - so does what starts and lets no records through', { skip }, async () => {
  const { code, told, applied } = await release({ newestSecondsOld: 1000 })
  assert.equal(code, 1)
  assert.match(told, /features: newest record is 10\d\d s old/)
  assert.equal(applied.length, 2)
})

test(
  'release.sh - where features and the scorer are fused, that process is asked',
  { skip },
  async () => {
    const { code, told } = await release({ isFused: true, newestSecondsOld: 1000 })
    assert.equal(code, 1)
    assert.match(told, /fused: newest record is 10\d\d s old/)
    assert.doesNotMatch(told, /^(features|scorer): /m)
  },
)

test('release.sh - without anything before it says so', { skip }, async () => {
  const { code, told, applied } = await release({ broken: mlflow, firstTime: true })
  assert.equal(code, 1)
  assert.match(told, /nothing to go back to/)
  assert.equal(applied.length, 1)
})

test('render.sh - a tag is refused, and so is an image that is missing', { skip }, async () => {
  const render = (...images: string[]) =>
    new Promise((resolve) => {
      const env = { ...process.env, KUSTOMIZE: checkers.kustomize ?? '' }
      const file = fileURLToPath(new URL('render.sh', import.meta.url))
      execFile(file, ['prod', ...images], { env, maxBuffer: 1 << 26 }, (error) =>
        resolve(Number(error?.code ?? 0)),
      )
    })
  assert.equal(await render(...next), 0)
  assert.equal(await render('registry.example/churnstream/services:1.2', ...next.slice(1)), 2)
  assert.equal(await render(...next.slice(1)), 2)
})
