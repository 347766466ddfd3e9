// How is the source that was asked for opened, and is it whole?
import { FatalError } from '@churnstream/runtime'
import type { Arguments } from './arguments.ts'
import type { Connection } from './connect.ts'
import { cutHistory, historyProblem } from './core/history.ts'
import { findEventFiles } from './event-files.ts'
import { openFileSource } from './file-source.ts'
import { openRejects } from './rejects.ts'
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
  const { asked, connection, fromAt, untilAt, onProgress } = options
  if (asked.source === 'topic') {
    const { kafka, schemas } = connection.cluster()
    const plan = await noteTopic(kafka)
    const source = openTopicSource(kafka, schemas, plan)
    const cut = cutHistory(await oldestKept(source, plan))
    const problem = historyProblem(plan.topic, cut, fromAt, asked.acceptCutHistory)
    if (problem !== undefined) throw new FatalError(problem)
    return source
  }
  const { installation } = connection
  const files = await findEventFiles(asked.source, installation)
  const target = asked.rejects ?? options.rejectsTarget
  await using rejects = await openRejects(target, installation)
  try {
    return await openFileSource({
      location: asked.source,
      files,
      untilAt,
      maxRejectedShare: asked.maxRejectedShare,
      onRejected: (line) => rejects.add(line),
      onProgress,
    })
  } finally {
    await rejects.finish()
  }
}
