// How does a test wait for what Dagster does, and hear what it has to tell?
import { messageOf } from '@churnstream/runtime'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 500

export interface Notices<Notice> {
  /** For NOTIFY_WEBHOOK_URL. */
  readonly url: string
  /** In the order of their coming. */
  readonly heard: readonly Notice[]
  close(): void
}

/** A webhook of our own that takes every notice. */
export async function listenForNotices<Notice>(): Promise<Notices<Notice>> {
  const heard: Notice[] = []
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      heard.push(JSON.parse(Buffer.concat(chunks).toString()) as Notice)
      response.end()
    })
  })
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening))
  const { port } = receiver.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/notices`, heard, close: () => void receiver.close() }
}

/**
 * What the look finds in the end. Trouble of a look is told only when it never finds anything.
 * @throws Error when it does not within the time, with what was told meanwhile
 */
export async function untilFound<T>(
  what: string,
  look: () => Promise<T | undefined>,
  options: {
    readonly withinMs: number
    /** Throws when waiting is of no use any more. */
    readonly check: () => void
    readonly told?: () => string
  },
): Promise<T> {
  const { withinMs, check, told = () => '' } = options
  const deadlineAt = Date.now() + withinMs
  let trouble = 'it did not happen'
  while (Date.now() < deadlineAt) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      trouble = messageOf(error)
    }
    check()
    await delay(pollMs)
  }
  throw new Error(`waiting for ${what}: ${trouble}. Told so far:\n${told()}`)
}
