// What do registry-events and load-reports say now, and what next?
import type { Follower } from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  type LoadReport,
  type RecordName,
  type Records,
  type RegistryEvent,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import type { Connection } from './connect.ts'

export interface Announcement {
  readonly event: RegistryEvent
  /** Milliseconds since 1970. */
  readonly announcedAt: number
}

/** The newest of each key. */
export interface Told {
  readonly events: ReadonlyMap<string, Announcement>
  readonly reports: ReadonlyMap<string, LoadReport>
  /** Rejects when the topics can't be read any more. */
  readonly failed: Promise<never>
  /** Resolves at the next change. */
  changed(): Promise<void>
  stop(): Promise<void>
}

/** Follows both topics; resolves once everything that stood in them is known. */
export async function follow(connection: Connection): Promise<Told> {
  const { kafka, schemas } = connection.streams()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  let news = Promise.withResolvers<void>()

  function latest<N extends RecordName, T>(
    topic: string,
    name: N,
    keep: (record: Records[N], writtenAt: number) => T,
  ): { newest: Map<string, T>; follower: Follower; settled: () => Promise<void> } {
    const decoder = new Decoder(name)
    const newest = new Map<string, T>()
    let taking: Promise<void> = Promise.resolve()
    const follower = kafka.follow(topic, (records) => {
      taking = taking.then(async () => {
        await schemas.prepare(
          decoder,
          records.flatMap(({ value }) => (value === null ? [] : [value])),
        )
        for (const { key, value, timestampMs } of records) {
          const record = value === null ? undefined : decoder.decode(value)
          // What can't be read was reported by the services that must act on it.
          if (record === undefined || record instanceof DecodeProblem) newest.delete(String(key))
          else newest.set(String(key), keep(record, timestampMs))
        }
        news.resolve()
        news = Promise.withResolvers()
      })
      taking.catch(failed.reject)
    })
    follower.finished.catch(failed.reject)
    return { newest, follower, settled: () => taking }
  }

  const events = latest(topics.registryEvents.name, 'registry-event', (event, announcedAt) => ({
    event,
    announcedAt,
  }))
  const reports = latest(topics.loadReports.name, 'load-report', (report) => report)
  for (const { follower, settled } of [events, reports]) {
    await Promise.race([follower.caughtUp, failed.promise])
    await settled()
  }
  return {
    events: events.newest,
    reports: reports.newest,
    failed: failed.promise,
    changed: () => news.promise,
    async stop() {
      await Promise.all([events.follower.stop(), reports.follower.stop()])
    },
  }
}
