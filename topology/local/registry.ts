// How does the schema registry run so that its ids survive a restart?
import { join } from 'node:path'
import type { Context } from './context.ts'
import type { ServerSpec } from './server.ts'

const answerTimeoutMs = 2_000

export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`
}

export function registrySpec({ dataDir, java, serversDir, ports }: Context): ServerSpec {
  const url = registryUrl(ports.registry)
  const jar = join(serversDir, 'registry', 'quarkus-run.jar')
  return {
    name: 'registry',
    command: java,
    args: ['-Xmx192m', '-Xss512k', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-jar', jar],
    cwd: dataDir.path,
    logFile: join(dataDir.path, 'logs', 'registry.log'),
    env: {
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(ports.registry),
      QUARKUS_MANAGEMENT_HOST: '127.0.0.1',
      QUARKUS_MANAGEMENT_PORT: String(ports.registryManagement),
      QUARKUS_LOG_LEVEL: 'WARN',
      // In memory by default: ids would change at every restart.
      APICURIO_STORAGE_KIND: 'sql',
      APICURIO_STORAGE_SQL_KIND: 'postgresql',
      APICURIO_DATASOURCE_URL: `jdbc:postgresql://127.0.0.1:${ports.postgres}/registry`,
      APICURIO_DATASOURCE_USERNAME: 'registry',
      APICURIO_DATASOURCE_PASSWORD: dataDir.secrets.postgresPassword,
    },
    port: ports.registry,
    async answers() {
      const signal = AbortSignal.timeout(answerTimeoutMs)
      const response = await fetch(`${url}/subjects`, { signal })
      return response.ok && Array.isArray(await response.json())
    },
  }
}
