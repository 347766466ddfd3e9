// What does each server need to know to be described?
import type { DataDir } from './data-dir.ts'
import type { Owner } from './owner.ts'
import type { Ports } from './ports.ts'

export interface Context {
  dataDir: DataDir
  ports: Ports
  owner: Owner
  java: string
  serversDir: string
  python: string
  signal: AbortSignal
}
