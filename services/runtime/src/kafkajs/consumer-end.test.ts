// Does a consumer wait for brokers that are away, where stock kafkajs ends it?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { test } from 'node:test'
import { loadKafkajs } from './install.ts'

interface Cluster {
  prototype: { findGroupCoordinatorMetadata(request: object): Promise<unknown> }
}

const require = createRequire(import.meta.url)
const root = dirname(require.resolve('kafkajs'))
const loadCluster = (): Cluster => require(join(root, 'src/cluster/index.js')) as Cluster

/** What the search for a coordinator throws when no broker can be asked. */
async function refusalOf({ prototype }: Cluster): Promise<{ name: string; retriable: boolean }> {
  const search = prototype.findGroupCoordinatorMetadata.call(
    { brokerPool: { withBroker: async () => null } },
    { groupId: 'group' },
  )
  return search.then(
    () => assert.fail('a coordinator was found'),
    (error: { name: string; retriable: boolean }) => error,
  )
}

test('waitForCoordinator - with every broker away the consumer starts again, where stock ends', async () => {
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(root + sep)) delete require.cache[file]
  }
  const stock = await refusalOf(loadCluster())
  assert.equal(stock.retriable, false)

  loadKafkajs()
  const ours = await refusalOf(loadCluster())
  assert.equal(ours.name, stock.name)
  assert.equal(ours.retriable, true)
})
