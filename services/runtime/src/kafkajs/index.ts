// What do tests and benchmarks need of the client itself?
export { toSasl } from './adapter.ts'
export { loadKafkajs } from './install.ts'
export { decodeRecordBatches, encodeRecordBatch } from './record-batch.ts'
