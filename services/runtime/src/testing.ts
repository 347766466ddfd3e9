// What does a test need to run services without a broker?
export { kafkaContract, readAll, until } from './kafka.contract.ts'
export { MemoryCluster } from './memory-kafka.ts'
