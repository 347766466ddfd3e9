// What must a program in another language know of the topics?
import { topics, type Topic } from '../src/index.ts'

/** topology/topics.json, by the ids that code uses. */
export function topicsFile(): string {
  const known = Object.entries<Topic>(topics).map(([id, { name, record, partitions }]) => [
    id,
    { name, record, partitions },
  ])
  return `${JSON.stringify(Object.fromEntries(known), null, 2)}\n`
}
