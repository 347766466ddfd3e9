// What do the aliases name now, as registry-events says?
import { DecodeProblem, Decoder, type RegistryEvent, type Schemas } from '@churnstream/schemas'
import { untilDone, type ConsumedRecord, type Kafka, type Log } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'

/** The newest event of model@alias; null once the alias is gone. */
export interface Announcement {
  readonly modelName: string
  readonly alias: string
  readonly event: RegistryEvent | null
}

export interface Announcements {
  /** Rejects when following can't go on; resolves after stop. */
  readonly finished: Promise<void>
  /** The newest event of each key, as the topic stands now. */
  newest(): Promise<ReadonlyMap<string, Announcement>>
  stop(): Promise<void>
}

const topic = topics.registryEvents.name

/** Hands over every event, oldest first, from the start of the topic and for ever. */
export function followAnnouncements(options: {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly log: Log
  readonly onAnnouncement: (key: string, announcement: Announcement) => void
}): Announcements {
  const { kafka, schemas, log, onAnnouncement } = options
  const decoder = new Decoder('registry-event')
  const failed = Promise.withResolvers<never>()
  const stopping = new AbortController()
  let working: Promise<void> = Promise.resolve()

  const follower = kafka.follow(topic, (records) => {
    working = working.then(async () => {
      for (const [key, announcement] of await decoded(records)) onAnnouncement(key, announcement)
    })
    working.catch(failed.reject)
  })
  const finished = Promise.race([follower.finished, failed.promise])
  finished.catch(() => undefined)

  async function decoded(
    records: readonly ConsumedRecord[],
  ): Promise<(readonly [string, Announcement])[]> {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
    const onTrouble = (reason: string): void =>
      log.warn({ reason }, 'the schema registry will be asked again')
    const { signal } = stopping
    const prepare = () => schemas.prepare(decoder, values)
    if (!(await untilDone(prepare, { signal, onTrouble }))) return []
    const found: (readonly [string, Announcement])[] = []
    for (const { key: rawKey, value, offset } of records) {
      const key = rawKey?.toString() ?? ''
      const at = key.lastIndexOf('@')
      const [modelName, alias] = [key.slice(0, at), key.slice(at + 1)]
      if (value === null) {
        found.push([key, { modelName, alias, event: null }])
        continue
      }
      const event = decoder.decode(value)
      if (event instanceof DecodeProblem) {
        log.error({ offset: String(offset), detail: event.detail }, 'unreadable registry event')
        continue
      }
      found.push([key, { modelName: event.modelName, alias: event.alias, event }])
    }
    return found
  }

  return {
    finished,
    async newest() {
      const newest = new Map<string, Announcement>()
      for await (const records of kafka.read(topic, 0)) {
        for (const [key, announcement] of await decoded(records)) newest.set(key, announcement)
      }
      return newest
    },
    async stop() {
      stopping.abort()
      await follower.stop()
      await working.catch(() => undefined)
    },
  }
}
