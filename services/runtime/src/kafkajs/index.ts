// What does a test need to ask a broker by itself?
export { toSasl } from './adapter.ts'
export { loadKafkajs } from './install.ts'
