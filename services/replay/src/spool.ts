// How are events put in order of time, in whatever order they come, without holding them all?
import { FatalError, partitionOf } from '@churnstream/runtime'
import { Decoder, Encoder, schemaText, type PlayerActivity } from '@churnstream/schemas'
import { DecodeProblem, typeOf } from '@churnstream/schemas'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const dayMs = 86_400_000
const schemaId = 0
const lengthBytes = 4
/** Held before they are written to the disk. */
const maxHeldBytes = 32 << 20
/** One day of one partition is sorted in memory. */
const maxDayBytes = 512 << 20

/**
 * Events by partition and UTC day, in files of a temporary folder that take about as much as the
 * events themselves. In memory: 32 MiB while they come, and one day of one partition while it is read.
 */
export class Spool implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'churnstream-replay-'))
  readonly #partitions: number
  readonly #encoder = new Encoder('player-activity', schemaId)
  readonly #decoder = new Decoder('player-activity')
  readonly #held = new Map<string, Buffer[]>()
  readonly #dayBytes = new Map<string, number>()
  readonly #days: Set<number>[]
  #heldBytes = 0
  /** Infinity: there is none. */
  firstEventAt = Infinity

  constructor(partitions: number) {
    this.#partitions = partitions
    this.#days = Array.from({ length: partitions }, () => new Set())
    this.#decoder.learn(schemaId, typeOf(schemaText('player-activity')))
  }

  /** @throws FatalError when a day of a partition no longer fits into memory */
  add(event: PlayerActivity): void {
    const partition = partitionOf(event.playerId, this.#partitions)
    const day = Math.floor(event.occurredAt / dayMs)
    const name = `${partition}-${day}`
    const value = this.#encoder.encode(event)
    const length = Buffer.allocUnsafe(lengthBytes)
    length.writeUInt32BE(value.length)
    const held = this.#held.get(name)
    if (held) held.push(length, value)
    else this.#held.set(name, [length, value])
    const dayBytes = (this.#dayBytes.get(name) ?? 0) + lengthBytes + value.length
    if (dayBytes > maxDayBytes) {
      throw new FatalError(
        `${new Date(day * dayMs).toISOString().slice(0, 10)} has more than ${maxDayBytes >> 20} MiB ` +
          `of events in partition ${partition}, and a day must fit into memory to be sorted: replay ` +
          'fewer markets at a time',
      )
    }
    this.#dayBytes.set(name, dayBytes)
    this.#days[partition]?.add(day)
    this.firstEventAt = Math.min(this.firstEventAt, event.occurredAt)
    this.#heldBytes += lengthBytes + value.length
    if (this.#heldBytes > maxHeldBytes) this.#flush()
  }

  /** Nothing more will come. */
  finish(): void {
    this.#flush()
  }

  /** The events of a partition by time, a day at a time. Ties stand by event id, then by player. */
  *read(partition: number): Generator<PlayerActivity[]> {
    const days = [...(this.#days[partition] ?? [])].sort((a, b) => a - b)
    for (const day of days) {
      yield this.#decode(readFileSync(join(this.#folder, `${partition}-${day}`))).sort(inOrder)
    }
  }

  #decode(bytes: Buffer): PlayerActivity[] {
    const events: PlayerActivity[] = []
    for (let at = 0; at < bytes.length;) {
      const start = at + lengthBytes
      at = start + bytes.readUInt32BE(at)
      const event = this.#decoder.decode(bytes.subarray(start, at))
      if (event instanceof DecodeProblem) throw new Error(`the spool is damaged: ${event.detail}`)
      events.push(event)
    }
    return events
  }

  #flush(): void {
    for (const [name, parts] of this.#held) {
      appendFileSync(join(this.#folder, name), Buffer.concat(parts))
    }
    this.#held.clear()
    this.#heldBytes = 0
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function inOrder(a: PlayerActivity, b: PlayerActivity): number {
  if (a.occurredAt !== b.occurredAt) return a.occurredAt - b.occurredAt
  if (a.eventId !== b.eventId) return a.eventId < b.eventId ? -1 : 1
  if (a.playerId !== b.playerId) return a.playerId < b.playerId ? -1 : 1
  return 0
}
