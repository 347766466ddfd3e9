// What are consumer groups and transactional ids called?
import type { Service } from './services.ts'

/** Of the producers that write for a service, one for each partition that it consumes. */
export const transactionalIdPrefixOf = ({ name }: Pick<Service, 'name'>): string =>
  `churnstream.${name}.`

/** Of a service, or a person's command, of which one instance at a time may write. */
export const soleWriterIdOf = (name: string): string => `churnstream.${name}`

export const groupOf = ({ name }: Pick<Service, 'name'>): string => name

/** `npm run replay`, by its run. */
export const replayIds = {
  groupPrefix: 'replay.',
  transactionalIdPrefix: 'churnstream.replay.',
} as const

/** Of programs that read with librdkafka, which wants one; nothing is ever committed in it. */
export const readingGroups = {
  orchestration: 'churnstream-orchestration',
  verifier: 'churnstream-verifier',
} as const
