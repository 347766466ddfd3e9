// What stands ready before anybody is measured: servers, models, inputs, and the scores they must get?
import {
  createKafkajsKafka,
  createLog,
  type Kafka,
  type OutgoingRecord,
} from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { topics, type Topic } from '@churnstream/topology'
import { runningVariables, type OwnedProcess } from '@churnstream/topology/local'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startBreakable } from '../breakable.ts'
import { openAdmin, type Admin } from './admin.ts'
import { serviceProcess, type Process } from './contenders.ts'
import { expectedOf, type Expected } from './expected.ts'
import type { Task } from './figures.ts'
import {
  activityLoad,
  makeVectors,
  vectorLoad,
  writeActivity,
  writeEvents,
  writeRows,
} from './inputs.ts'
import type { Installation } from './installation.ts'
import { championModel, foldedModel, importModel, scoresOf, type Model } from './model.ts'

export interface Lab extends AsyncDisposable {
  readonly schemas: Schemas
  readonly admin: Admin
  readonly brokers: string
  readonly brokerPid: number
  /** Knows no topic yet: one that knows a deleted topic can do nothing more. */
  openKafka(): Kafka
  readonly dataDir: string
  readonly installation: Installation
  /** What a service of ours needs in its environment. */
  readonly variables: Readonly<Record<string, string>>
  /** Of task F the peers' own: ours takes that of S. */
  readonly models: Readonly<Record<Task, Model>>
  /** Float32, of all vectors; the model of S takes them. */
  readonly rowsFile: string
  /** By input of the task; ours must give each event the score that its vector has in S. */
  readonly expected: Readonly<Record<Task | 'ours in F', Expected>>
  /** Aborts, with what broke, when a server ends by itself. */
  readonly running: AbortSignal
  schemaId(topic: Topic): Promise<number>
  /** As many records as an open loop sends, the same for every contender. */
  load(task: Task, count: number): Promise<readonly OutgoingRecord[]>
  /** On these processors only, where they are given. */
  spawn(process: Omit<Process, 'outTopic'>, processors?: string): OwnedProcess
}

export interface LabOptions {
  readonly dataDir: string
  readonly events: number
  readonly tasks: readonly Task[]
  readonly installation: Installation
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

export async function openLab(options: LabOptions): Promise<Lab> {
  const { dataDir, events, tasks, installation, signal, onProgress } = options
  const folderOf = (name: string): string => join(dataDir, name)
  await using cleanUp = new AsyncDisposableStack()
  const { pipeline, running } = await startBreakable({
    dataDir,
    modelSize: 'small',
    services: ['registryBridge'],
    signal,
    onProgress,
    prepare: (stack) => importModel(stack, folderOf('model'), onProgress),
  })
  cleanUp.use(pipeline)
  const { stack, kafka } = pipeline
  while ((await kafka.endOffsets(topics.registryEvents.name)).every((end) => end === 0n)) {
    await delay(200, undefined, { signal: running })
  }
  // What it told the scorers stays in its topic.
  await pipeline.process('registryBridge').stop()

  const admin = cleanUp.use(await openAdmin(stack.kafka.brokers))
  const schemas = new Schemas({ url: stack.registry.url })
  const variables = runningVariables({}, dataDir) as Record<string, string>
  let started = 0
  const spawn: Lab['spawn'] = (child, processors) =>
    stack.spawn({
      ...child,
      ...(processors === undefined
        ? { args: [...child.args] }
        : { command: 'taskset', args: ['-c', processors, child.command, ...child.args] }),
      logFile: join(dataDir, 'service-logs', `${++started}-${child.name}.log`),
    })

  const model = await championModel(stack, folderOf('model'))
  await writeActivity(kafka, schemas, events)
  onProgress(`${events} events in ${topics.playerActivity.name}`)
  await makeVectors(kafka, spawn(await serviceProcess('features', variables)), running)
  const rows = await writeRows(kafka, schemas, model.columns, folderOf('rows'))
  onProgress(`${rows.causes.length} vectors in ${topics.featureVectors.name}`)
  const scores = await scoresOf(stack, folderOf('model'), folderOf('rows'))
  const expected = {
    S: expectedOf(rows.offsets, scores),
    'ours in F': expectedByCause(rows.causes, scores),
    F: [] as Expected,
  }
  let peersModel = model
  if (tasks.includes('F')) {
    onProgress('folding the events into the features of the peers, and training their model')
    mkdirSync(folderOf('peers'))
    const offsets = await writeEvents(kafka, schemas, folderOf('events'))
    const folded = await foldedModel(stack, folderOf('peers'), folderOf('events'))
    peersModel = { ...model, ...folded.model }
    expected.F = expectedOf(offsets, folded.scores)
  }
  const owned = cleanUp.move()
  return {
    schemas,
    admin,
    brokers: stack.kafka.brokers.join(','),
    brokerPid: stack.servers.kafka.pid,
    openKafka: () =>
      createKafkajsKafka({
        brokers: stack.kafka.brokers,
        clientId: 'bench',
        log: createLog('bench', 'error'),
      }),
    dataDir,
    installation,
    variables,
    models: { S: model, F: peersModel },
    rowsFile: folderOf('rows'),
    expected,
    running,
    schemaId: ({ record, name }) => schemas.register(record, name),
    load: (task, count) =>
      task === 'S' ? vectorLoad(kafka, count) : activityLoad(schemas, events, count),
    spawn,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function expectedByCause(
  causes: readonly { readonly partition: number; readonly offset: number }[],
  scores: Float32Array,
): Expected {
  const byPartition = Array.from({ length: topics.playerActivity.partitions }, () => [] as number[])
  for (const [index, { partition, offset }] of causes.entries()) {
    ;(byPartition[partition] as number[])[offset] = scores[index] as number
  }
  // A hole of the list is no number, as it should be.
  return byPartition.map((own) => Float32Array.from(own))
}
