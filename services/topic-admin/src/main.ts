// npm run topics: has the cluster every topic of the topology? Makes those that are missing.
import { openCluster, runMain } from '@churnstream/runtime'
import { clusterTopics } from '@churnstream/topology'
import { parseArgs } from 'node:util'

const usage = `npm run topics

Makes every topic of the topology that the cluster does not have, and fails where one has another
number of partitions. Settings of a topic that is there are left as they are.

Environment: KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL, and as whom the cluster is entered.
The principal is topic-admin; services may make no topics.`

const { values } = parseArgs({ options: { help: { type: 'boolean', default: false } } })

if (values.help) console.log(usage)
else await runMain(makeTopics)

async function makeTopics(): Promise<void> {
  const { kafka } = openCluster(process.env, 'topics')
  try {
    const topics = clusterTopics()
    await kafka.ensureTopics(topics)
    console.log(`${topics.length} topics are there`)
  } finally {
    await kafka.close()
  }
}
