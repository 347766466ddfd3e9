// Who does the work, and how is each started?
import { fused, groupOf, hosts, services, topics } from '@churnstream/topology'
import { freePorts } from '@churnstream/topology/local'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ours, oursFused, type Guarantee, type Setting, type Task } from './figures.ts'
import { pythonFolder, type Installation, type Java } from './installation.ts'
import type { Lab } from './lab.ts'

const schemaFile = (record: string): string =>
  fileURLToPath(new URL(`../../../../schemas/avro/${record}.avsc`, import.meta.url))

/** Between two commits, where a contender can be told. */
const commitMs = 100

export interface Process {
  readonly name: string
  /** Shows how far it is. */
  readonly outTopic: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** What a run starts, and where its work goes in and comes out. */
export interface Started {
  /** In the order of the work: the last one writes the scores. */
  readonly processes: readonly Process[]
  readonly inTopic: string
  /** The consumer groups; the first one reads the input. */
  readonly groups: readonly [string, ...string[]]
  /** Groups without members, whose offsets it moves too. */
  readonly alsoMoves?: readonly string[]
  /** Of the cluster, and empty at the start: nobody else's. */
  readonly ownTopics: readonly string[]
  /** The processes are members of one group, of these further topics too, and begin together. */
  readonly together?: { readonly alongside: readonly string[] }
}

export interface Contender {
  readonly name: string
  readonly tasks: readonly Task[]
  readonly guarantees: readonly Guarantee[]
  /** Why it is left out, if it is. */
  missing(installation: Installation): string | undefined
  start(
    lab: Lab,
    setting: Pick<Setting, 'task' | 'guarantee' | 'cores'>,
    run: string,
  ): Promise<Started>
}

const inputs = { S: topics.featureVectors, F: topics.playerActivity } as const

const scorerGroup = groupOf(services.scorer)
/** What ours writes in F; in S only the last. */
const made = [topics.playerState, topics.playerOutcomes, topics.featureVectors, topics.churnScores]

const outputs = {
  features: topics.featureVectors,
  scorer: topics.churnScores,
  fused: topics.churnScores,
} as const

/** One of ours, as it is deployed. */
export async function serviceProcess(
  id: keyof typeof outputs,
  variables: Readonly<Record<string, string>>,
): Promise<Process> {
  const { name } = hosts[id]
  const [port] = await freePorts(1)
  return {
    name,
    outTopic: outputs[id].name,
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../../${name}/src/main.ts`, import.meta.url))],
    env: { ...variables, HTTP_PORT: String(port) },
  }
}

/** As deployed: each service a process, in their topics and groups. */
const churnstream: Contender = {
  name: ours,
  tasks: ['S', 'F'],
  guarantees: ['exactly-once'],
  missing: () => undefined,
  async start(lab, { task }) {
    const scorer = await serviceProcess('scorer', lab.variables)
    return {
      processes:
        task === 'S' ? [scorer] : [await serviceProcess('features', lab.variables), scorer],
      inTopic: inputs[task].name,
      groups: task === 'S' ? [scorerGroup] : [groupOf(services.features), scorerGroup],
      ownTopics: (task === 'S' ? made.slice(-1) : made).map(({ name }) => name),
    }
  },
}

/** One service of ours, as many times as it is told: members of one group. */
export const replicasOf = (
  id: 'features' | 'scorer',
  replicas: number,
): Pick<Contender, 'name' | 'start'> => ({
  name: services[id].name,
  async start({ variables }) {
    const processes: Process[] = []
    while (processes.length < replicas) {
      const process = await serviceProcess(id, variables)
      processes.push({ ...process, name: `${process.name}-${processes.length + 1}` })
    }
    const isFirst = id === 'features'
    return {
      processes,
      inTopic: (isFirst ? inputs.F : inputs.S).name,
      groups: [groupOf(services[id])],
      ownTopics: (isFirst ? made : made.slice(-1)).map(({ name }) => name),
      together: { alongside: isFirst ? [topics.privacyRequests.name] : [] },
    }
  },
})

/** The two services of F in one process and one transaction; the vectors are written all the same. */
const churnstreamFused: Contender = {
  name: oursFused,
  tasks: ['F'],
  guarantees: ['exactly-once'],
  missing: () => undefined,
  async start(lab) {
    return {
      processes: [await serviceProcess('fused', lab.variables)],
      inTopic: inputs.F.name,
      groups: [groupOf(fused.first)],
      alsoMoves: [groupOf(fused.second)],
      ownTopics: made.map(({ name }) => name),
    }
  },
}

const missingOf = (part: Java | string | { readonly missing: string }): string | undefined =>
  typeof part === 'object' && 'missing' in part ? part.missing : undefined

function peer(
  name: string,
  rest: Pick<Contender, 'tasks' | 'missing'> & {
    command(installation: Installation): Pick<Process, 'command' | 'args'>
  },
): Contender {
  return {
    ...rest,
    name,
    guarantees: ['exactly-once', 'at-least-once'],
    async start(lab, { task, guarantee, cores }, run) {
      const input = inputs[task]
      const model = lab.models[task]
      const outTopic = `${topics.churnScores.name}-${run}`
      return {
        processes: [
          {
            name,
            outTopic,
            ...rest.command(lab.installation),
            env: {
              BOOTSTRAP: lab.brokers,
              GROUP: run,
              TASK: task,
              IN_TOPIC: input.name,
              OUT_TOPIC: outTopic,
              GUARANTEE: guarantee,
              COMMIT_MS: String(commitMs),
              THREADS: String(cores),
              STATE_DIR: join(lab.dataDir, 'state', run),
              MODEL: model.onnxFile,
              COLUMNS: model.columns.join(','),
              IN_SCHEMA: schemaFile(input.record),
              IN_SCHEMA_ID: String(await lab.schemaId(input)),
              OUT_SCHEMA: schemaFile(topics.churnScores.record),
              OUT_SCHEMA_ID: String(await lab.schemaId(topics.churnScores)),
              MODEL_NAME: model.name,
              MODEL_VERSION: model.version,
            },
          },
        ],
        inTopic: input.name,
        groups: [run],
        ownTopics: [],
      }
    },
  }
}

const heap = [
  '-Xms2g',
  '-Xmx2g',
  '-Xmn1g',
  '-XX:+UseSerialGC',
  '--enable-native-access=ALL-UNNAMED',
]

const inJava = (main: string) => ({
  missing: ({ java }: Installation) => missingOf(java),
  command({ java }: Installation) {
    const { command, classPath } = java as Java
    const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
    return { command, args: [...heap, log, '-cp', classPath, `churnstream.peers.${main}`] }
  },
})

export const contenders: readonly Contender[] = [
  churnstream,
  churnstreamFused,
  peer('kafka-streams', { tasks: ['S', 'F'], ...inJava('StreamsScorer') }),
  peer('java-plain', { tasks: ['S', 'F'], ...inJava('PlainScorer') }),
  peer('quix', {
    tasks: ['S', 'F'],
    missing: ({ quix }) => missingOf(quix),
    command: ({ quix }) => ({
      command: quix as string,
      args: [join(pythonFolder, 'quix_scorer.py')],
    }),
  }),
]
