// How does the topology look, drawn?
import { backfillScores, fused, services, topics, type Service, type Topic } from '../src/index.ts'

const id = (prefix: string, name: string) => `${prefix}_${name.replaceAll('-', '_')}`

/** docs/topology.md: a mermaid diagram and a table of the topics. */
export function topologyPage(): string {
  const lines: string[] = []
  const all: Service[] = Object.values(services)
  for (const topic of Object.values<Topic>(topics)) {
    lines.push(`  ${id('t', topic.name)}[/"${topic.name}"/]`)
  }
  for (const service of all) {
    lines.push(`  ${id('s', service.name)}(["${service.name}"])`)
    for (const topic of service.consumes) {
      lines.push(`  ${id('t', topic.name)} --> ${id('s', service.name)}`)
    }
    for (const topic of service.follows) {
      lines.push(`  ${id('t', topic.name)} -. follows .-> ${id('s', service.name)}`)
    }
    for (const topic of service.looksUp ?? []) {
      lines.push(`  ${id('t', topic.name)} -. looked up .-> ${id('s', service.name)}`)
    }
    for (const topic of service.produces) {
      lines.push(`  ${id('s', service.name)} --> ${id('t', topic.name)}`)
    }
    for (const topic of service.state) {
      lines.push(`  ${id('s', service.name)} <-. state .-> ${id('t', topic.name)}`)
    }
  }
  return [
    '# Topology',
    '',
    'Derived from `topology/src`: do not edit, run `npm run derive`. Every topic that a service',
    'consumes also has a `<topic>.dlq` for records that could not be processed.',
    '',
    '```mermaid',
    'flowchart LR',
    ...lines,
    '```',
    '',
    '| topic | key | record | partitions | cleanup | kept | carries |',
    '|---|---|---|---|---|---|---|',
    ...[...Object.values<Topic>(topics), backfillScores].map(
      (topic) =>
        `| ${topic.name} | ${topic.key} | ${topic.record} | ${topic.partitions} | ${topic.cleanup} | ` +
        `${topic.retentionMs === null ? 'newest of each key' : `${topic.retentionMs / 86_400_000} days`} | ${topic.carries} |`,
    ),
    '',
    '| service | does | port |',
    '|---|---|---|',
    ...[...all, fused as Pick<Service, 'name' | 'does' | 'port' | 'within'>].map(
      (service) =>
        `| ${service.name} | ${service.does} | ${service.port}${service.within === undefined ? '' : `, within ${service.within}`} |`,
    ),
    '',
  ].join('\n')
}
