// Is the service that runs in this container ready? Exits 0 or 1.
import { readFileSync } from 'node:fs'
import { services, type Service } from '../topology/src/services.ts'
import { warehousePort } from '../topology/src/warehouse.ts'

const timeoutMs = 4_000

// The first process of the container: node services/<name>/src/main.ts
const [, folder] = /services\/([a-z-]+)\/src/.exec(readFileSync('/proc/1/cmdline', 'utf8')) ?? []
const known: readonly Pick<Service, 'name' | 'port'>[] = [
  ...Object.values(services),
  { name: 'warehouse', port: warehousePort },
]
const port = process.env['HTTP_PORT'] ?? known.find(({ name }) => name === folder)?.port
const signal = AbortSignal.timeout(timeoutMs)
const response = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal })
console.log(await response.text())
process.exit(response.ok ? 0 : 1)
