// Does the cluster in memory keep the contract of the Kafka port?
import { kafkaContract } from './kafka.contract.ts'
import { MemoryCluster } from './memory-kafka.ts'

kafkaContract('MemoryCluster', async () => ({ kafka: new MemoryCluster().open() }))
