// What can go wrong between a service and its broker, on purpose?
import { createServer, connect, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Kafka's numbers of requests. */
export const apiKeys = { produce: 0, endTxn: 26, txnOffsetCommit: 28 } as const

/** What happens to one request or response of an api, the n-th from when it is asked for. */
export interface Ambush {
  readonly apiKey: number
  readonly side: 'request' | 'response'
  readonly nth: number
  /** A frame that is held goes on afterwards, also when its client has gone. */
  readonly action: 'drop' | { readonly holdMs: number }
}

export interface KafkaProxy extends AsyncDisposable {
  /** New connections are refused and those that stand are reset. */
  refuse(): void
  /** Connections are taken, and nothing passes either way. */
  blackHole(): void
  /** Every frame waits. */
  slow(options: { readonly delayMs?: number; readonly bytesPerSecond?: number }): void
  /** Resets what stands, now; new connections pass. */
  reset(): void
  /** Each connection is reset once it has carried so many more bytes. */
  cutAfter(bytes: number): void
  ambush(ambush: Ambush): void
  /** Nothing goes wrong any more. */
  heal(): void
  /** Frames, or connections, that something was done to since the last heal. */
  readonly fired: number
  /** Error codes of the answers to requests that were held, in order. */
  readonly answersToHeld: readonly number[]
}

interface Trouble {
  readonly isRefusing: boolean
  readonly isBlack: boolean
  readonly delayMs: number
  readonly bytesPerSecond: number
  readonly cutAfterBytes: number
}

const none: Trouble = {
  isRefusing: false,
  isBlack: false,
  delayMs: 0,
  bytesPerSecond: Infinity,
  cutAfterBytes: Infinity,
}

/** Between `port`, which the broker must advertise, and the broker's own listener. */
export async function startKafkaProxy(port: number, brokerPort: number): Promise<KafkaProxy> {
  let trouble = none
  let fired = 0
  let ambushes: { ambush: Ambush; left: number }[] = []
  const answersToHeld: number[] = []
  const connections = new Set<() => void>()

  const server: Server = createServer((client) => {
    if (trouble.isRefusing) {
      fired++
      client.resetAndDestroy()
      return
    }
    serve(client)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })

  function serve(client: Socket): void {
    const broker = connect(brokerPort, '127.0.0.1')
    /** Correlation id to api key, until its answer came. */
    const asked = new Map<number, number>()
    const held = new Set<number>()
    let carried = 0
    const end = (): void => {
      connections.delete(end)
      client.resetAndDestroy()
      broker.resetAndDestroy()
    }
    connections.add(end)
    for (const socket of [client, broker]) socket.on('error', () => undefined)

    const upstream = createLane(broker, async (frame) => {
      const apiKey = frame.readInt16BE(4)
      const correlation = frame.readInt32BE(8)
      asked.set(correlation, apiKey)
      const action = ambushed(apiKey, 'request')
      if (action === 'drop') return false
      if (action) {
        held.add(correlation)
        await delay(action.holdMs)
      }
      return true
    })
    const downstream = createLane(client, async (frame) => {
      const correlation = frame.readInt32BE(4)
      const apiKey = asked.get(correlation)
      asked.delete(correlation)
      // EndTxn answers: throttle time, then the error code.
      if (held.delete(correlation) && apiKey === apiKeys.endTxn) {
        answersToHeld.push(frame.readInt16BE(12))
      }
      const action = apiKey === undefined ? undefined : ambushed(apiKey, 'response')
      if (action === 'drop') return false
      if (action) await delay(action.holdMs)
      return true
    })

    function createLane(
      to: Socket,
      inspect: (frame: Buffer) => Promise<boolean>,
    ): (chunk: Buffer) => void {
      let rest: Buffer = Buffer.alloc(0)
      let working: Promise<void> = Promise.resolve()
      const pass = async (frame: Buffer): Promise<void> => {
        while (trouble.isBlack) await delay(50)
        const { delayMs, bytesPerSecond, cutAfterBytes } = trouble
        const waitMs = delayMs + (frame.length / bytesPerSecond) * 1_000
        if (waitMs >= 1) {
          fired++
          await delay(waitMs)
        }
        carried += frame.length
        if (carried > cutAfterBytes) {
          fired++
          end()
          return
        }
        if ((await inspect(frame)) && !to.destroyed) to.write(frame)
      }
      return (chunk) => {
        if (trouble.isBlack) fired++
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        while (rest.length >= 4) {
          const size = rest.readInt32BE(0) + 4
          if (rest.length < size) break
          const frame = rest.subarray(0, size)
          rest = rest.subarray(size)
          working = working.then(() => pass(frame))
        }
      }
    }

    client.on('data', upstream)
    broker.on('data', downstream)
    broker.on('close', () => {
      connections.delete(end)
      client.destroy()
    })
    client.on('close', () => {
      // What is held must still reach the broker.
      if (held.size === 0) end()
    })
  }

  function ambushed(apiKey: number, side: Ambush['side']): Ambush['action'] | undefined {
    for (const waiting of ambushes) {
      const { ambush } = waiting
      if (ambush.apiKey !== apiKey || ambush.side !== side || --waiting.left !== 0) continue
      ambushes = ambushes.filter((one) => one !== waiting)
      fired++
      return ambush.action
    }
    return undefined
  }

  function resetAll(): void {
    for (const end of connections) {
      fired++
      end()
    }
  }

  return {
    refuse() {
      trouble = { ...none, isRefusing: true }
      resetAll()
    },
    blackHole: () => void (trouble = { ...none, isBlack: true }),
    slow: ({ delayMs = 0, bytesPerSecond = Infinity }) =>
      void (trouble = { ...none, delayMs, bytesPerSecond }),
    reset: resetAll,
    cutAfter: (cutAfterBytes) => void (trouble = { ...none, cutAfterBytes }),
    ambush: (ambush) => void ambushes.push({ ambush, left: ambush.nth }),
    heal() {
      trouble = none
      ambushes = []
      fired = 0
    },
    get fired() {
      return fired
    },
    answersToHeld,
    async [Symbol.asyncDispose]() {
      trouble = none
      for (const end of connections) end()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
