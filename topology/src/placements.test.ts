// Does what processes ask for hold together?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  placements,
  processIds,
  services,
  type Placement,
  type Service,
  type ServiceId,
} from './index.ts'

const known: Partial<Record<ServiceId, Placement>> = placements

test('placements - every process has one, and nothing else', () => {
  assert.deepEqual(new Set(Object.keys(placements)), new Set(processIds))
})

test('placements - no replica of a service is without a partition', () => {
  for (const id of processIds) {
    const { consumes }: Service = services[id]
    const placement = known[id]
    assert.ok(placement, id)
    const { replicas } = placement
    assert.ok(replicas.least >= 1 && replicas.least <= replicas.most, id)
    if (consumes.length === 0) continue
    assert.ok(replicas.most <= Math.max(...consumes.map(({ partitions }) => partitions)), id)
  }
})
