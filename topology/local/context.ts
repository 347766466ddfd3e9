// What does each server need to know to be described?
import type { DataDir } from './data-dir.ts'
import type { Owner } from './owner.ts'
import type { Ports } from './ports.ts'

/** A further way to the broker, told to its clients under another port: a proxy's. */
export interface KafkaListener {
  readonly name: string
  readonly port: number
  readonly advertisedPort: number
}

/** Clients that come in by this port show who they are, and may what they were granted. */
export interface Secured {
  /** Of the only broker, over TLS. */
  readonly kafkaPort: number
  /** Of SCRAM, by principal. Known to a broker from its first start on. */
  readonly kafkaPasswords: Readonly<Record<string, string>>
  /** Of MLflow's first user, its admin. */
  readonly mlflowPassword: string
}

/** Where one broker listens; its place in the list is its node id, from 1. */
export interface KafkaNode {
  readonly port: number
  readonly controllerPort: number
}

export interface Context {
  dataDir: DataDir
  ports: Ports
  owner: Owner
  java: string
  serversDir: string
  python: string
  signal: AbortSignal
  kafkaNodes: readonly KafkaNode[]
  /** Of each broker; a small one unless told. */
  brokerHeapMb: number | undefined
  /** Of the only broker. */
  kafkaListeners: readonly KafkaListener[]
  /** Kafka with access control, PostgreSQL with TLS, MLflow with users. */
  secured: Secured | undefined
  /** What Prometheus asks, by job: host and port. */
  scrapes: Readonly<Record<string, string>>
}
