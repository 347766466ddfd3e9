// Where is it said which lines were no events?
import { attemptFile, openDraft, type Draft, type Installation } from '@churnstream/batch'
import { appendFileSync } from 'node:fs'
import type { RejectedLine } from './file-source.ts'

export interface Rejects extends AsyncDisposable {
  add(line: RejectedLine): void
  /** Seen under its name from now on; where nothing was rejected there is no file. */
  finish(): Promise<void>
}

const maxHeldLines = 1_000

/** JSON lines, in the order in which they were met. */
export async function openRejects(target: string, installation: Installation): Promise<Rejects> {
  const draft: Draft = await openDraft(target, installation)
  let held: string[] = []
  let count = 0
  const flush = (): void => {
    appendFileSync(draft.file, held.join(''))
    held = []
  }
  return {
    add(line) {
      held.push(`${JSON.stringify(line)}\n`)
      count++
      if (held.length === maxHeldLines) flush()
    },
    async finish() {
      if (count === 0) return
      await attemptFile(`writing ${target}`, async () => flush())
      await draft.publish()
    },
    [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
  }
}
