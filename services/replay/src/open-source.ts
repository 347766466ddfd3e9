// How is the source that was asked for opened, and is it whole?
import { attemptFile, openInputs, openRowWriter, type OutputColumn } from '@churnstream/batch'
import { FatalError } from '@churnstream/runtime'
import { createReadStream } from 'node:fs'
import type { Arguments } from './arguments.ts'
import type { Connection } from './connect.ts'
import { cutHistory, historyProblem } from './core/history.ts'
import { openFileSource } from './file-source.ts'
import type { Source } from './source.ts'
import { noteTopic, oldestKept, openTopicSource } from './topic-source.ts'

export interface SourceOptions {
  readonly asked: Pick<Arguments, 'source' | 'rejects' | 'maxRejectedShare' | 'acceptCutHistory'>
  readonly connection: Connection
  /** The features of this instant are the first that are needed. */
  readonly fromAt: number
  /** Nothing at or after it is needed. */
  readonly untilAt: number
  /** Where rejected lines are told unless something else was asked for. */
  readonly rejectsTarget: string
  readonly onProgress: (line: string) => void
}

/** @throws FatalError when it does not hold what the instants need */
export async function openSource(options: SourceOptions): Promise<Source> {
  const { asked, connection, fromAt } = options
  if (asked.source === 'topic') {
    const { kafka, schemas } = connection.cluster()
    const plan = await noteTopic(kafka)
    const source = openTopicSource(kafka, schemas, plan)
    const cut = cutHistory(await oldestKept(source, plan))
    const problem = historyProblem(plan.topic, cut, fromAt, asked.acceptCutHistory)
    if (problem !== undefined) throw new FatalError(problem)
    return source
  }
  return openFiles(options)
}

const rejectColumns: readonly OutputColumn[] = [
  { name: 'source', type: 'text' },
  { name: 'row', type: 'integer' },
  { name: 'reason', type: 'text' },
  { name: 'detail', type: 'text' },
  { name: 'values', type: 'text' },
]

async function openFiles(options: SourceOptions): Promise<Source> {
  const { asked, connection, untilAt, onProgress } = options
  const { installation } = connection
  await using inputs = await openInputs(asked.source, installation)
  const other = inputs.files.find(({ kind }) => kind !== 'jsonl')
  if (other !== undefined) {
    throw new FatalError(
      `${other.source} is no file of events: these are JSON lines (.jsonl or .ndjson, also .gz). ` +
        'Begin its name with _ to leave it alone',
    )
  }
  const target = asked.rejects ?? options.rejectsTarget
  await using rejects = await openRowWriter(target, rejectColumns, installation)
  try {
    await using opened = new AsyncDisposableStack()
    const sorting = `sorting the events of ${asked.source}`
    const source = await attemptFile(sorting, () =>
      openFileSource({
        location: asked.source,
        files: inputs.files.map(({ source, file, isGzipped }) => ({
          source,
          isGzipped,
          open: () => createReadStream(file, { highWaterMark: 1 << 20 }),
        })),
        sha256: inputs.sha256,
        untilAt,
        maxRejectedShare: asked.maxRejectedShare,
        onRejected: (lines) =>
          rejects.write(
            lines.map(({ source, row, reason, detail, values }) => [
              source,
              row,
              reason,
              detail,
              values,
            ]),
          ),
        onProgress,
      }),
    )
    opened.use(source)
    // All is sorted elsewhere now: the files are not read again.
    await inputs.confirm()
    opened.move()
    return source
  } finally {
    // Also when there were too many of them, so that somebody can look.
    if (rejects.rows > 0) await rejects.finish()
  }
}
