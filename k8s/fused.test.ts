// Does the component `fused` put one process in the place of features and the scorer, and change no more?
import { fused, fusedPlacement, groupOf, principals } from '@churnstream/topology'
import { findCheckers } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { mayConnect, policiesOf } from './network.ts'
import { render, workloadsOf, type Resource } from './rendered.ts'

const checkers = await findCheckers()
const skip = checkers.missing === undefined ? false : `no kustomize: ${checkers.missing}`
if (skip) console.log(skip)

const folder = mkdtempSync(fileURLToPath(new URL('overlays/.fused-', import.meta.url)))
writeFileSync(
  `${folder}/kustomization.yaml`,
  `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../prod]
components: [../../fused]
`,
)
const rendered = async (environment: string): Promise<readonly Resource[]> =>
  checkers.missing === undefined ? (await render(checkers.kustomize, environment)).resources : []
const plain = await rendered('prod')
const together = await rendered(basename(folder)).finally(() => rmSync(folder, { recursive: true }))
const idOf = ({ kind, metadata }: Resource): string => `${kind} ${metadata.name}`
const found = (kind: string): Resource => {
  const one = together.find((resource) => idOf(resource) === `${kind} ${fused.name}`)
  assert.ok(one, kind)
  return one
}

test('fused - takes the place of all that features and the scorer have', { skip }, () => {
  const ids = new Set(together.map(idOf))
  const gone = plain.map(idOf).filter((id) => !ids.has(id))
  const own = plain.map(idOf).filter((id) => / (features|scorer)$/.test(id))
  assert.deepEqual(gone.toSorted(), own.toSorted())
  const before = new Set(plain.map(idOf))
  const come = [...ids].filter((id) => !before.has(id))
  assert.deepEqual(
    come.toSorted(),
    own
      .filter((id) => id.endsWith('scorer'))
      .map((id) => id.replace('scorer', fused.name))
      .toSorted(),
  )
  const label = /\{"podSelector":\{"matchLabels":\{"app.kubernetes.io\/name":"fused"\}\}\},?/
  for (const resource of together.filter((one) => before.has(idOf(one)))) {
    const isCalled = ['Kafka churnstream', 'NetworkPolicy schema-registry'].includes(idOf(resource))
    const text = JSON.stringify(resource)
    assert.equal(label.test(text), isCalled, idOf(resource))
    assert.deepEqual(
      JSON.parse(isCalled ? text.replace(label, '').replace(',]', ']') : text),
      plain.find((one) => idOf(one) === idOf(resource)),
    )
  }
})

test('fused - runs its own main, as its own principal, with the room it asks for', { skip }, () => {
  const workload = workloadsOf(together).find(({ metadata }) => metadata.name === fused.name)
  assert.ok(workload)
  const { selector, template } = workload.spec
  const label = { 'app.kubernetes.io/name': fused.name }
  assert.deepEqual(selector.matchLabels, label)
  assert.equal(template.metadata.labels['app.kubernetes.io/name'], fused.name)
  const text = JSON.stringify(workload)
  assert.doesNotMatch(text, /scorer/)
  const [container] = template.spec.containers
  assert.deepEqual(container?.args, [`services/${fused.name}/src/main.ts`])
  assert.deepEqual(container?.ports, [{ name: 'http', containerPort: fused.port }])
  assert.equal(Number(container?.resources?.requests?.cpu) * 1000, fusedPlacement.cpuMillis)
  assert.equal(container?.resources?.limits?.memory, `${fusedPlacement.memoryMb / 1024}Gi`)
  assert.ok(template.spec.terminationGracePeriodSeconds >= fusedPlacement.stopSeconds)
  assert.equal(container?.livenessProbe?.httpGet?.path, '/health/live')
  assert.match(text, /kafka-user-fused/)
  const { ports, ...service } = found('Service').spec as {
    selector: object
    ports: { port: number }[]
  }
  assert.deepEqual([service.selector, ports[0]?.port], [label, fused.port])
  const budget = found('PodDisruptionBudget').spec as { selector: { matchLabels: object } }
  assert.deepEqual(budget.selector.matchLabels, label)
  assert.ok(principals().some(({ name }) => name === fused.name))
})

test('fused - scales by what features has not read, and reaches what both reach', { skip }, () => {
  const { triggers, maxReplicaCount } = found('ScaledObject').spec as {
    maxReplicaCount: number
    triggers: { metadata: { consumerGroup: string; topic: string } }[]
  }
  assert.equal(maxReplicaCount, fusedPlacement.replicas.most)
  assert.deepEqual(
    triggers.map(({ metadata }) => [metadata.consumerGroup, metadata.topic]),
    fused.first.consumes.map(({ name }) => [groupOf(fused.first), name]),
  )
  const policies = policiesOf(together)
  const labels = (name: string) => ({ 'app.kubernetes.io/name': name })
  assert.ok(mayConnect(policies, labels(fused.name), labels('schema-registry'), 8080))
  assert.ok(!mayConnect(policies, labels(fused.name), labels('mlflow'), 5000))
})
