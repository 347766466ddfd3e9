// Does the verifier see it when our code is wrong? Copies of it, each broken on purpose.
import { cpSync, mkdirSync, readFileSync, readdirSync, realpathSync, symlinkSync } from 'node:fs'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { faultCases } from './cases.ts'
import type { LabOptions } from './lab.ts'
import { PromiseBroken } from './promise-broken.ts'
import { notCaughtUp, runFaults } from './run.ts'

/** What is lost never comes. Longer than a request of a client may take. */
const patienceMs = 25_000
const root = fileURLToPath(new URL('../../../', import.meta.url))

interface Change {
  readonly file: string
  /** Must stand there once. */
  readonly from: string
  readonly to: string
}

export interface Mutation {
  readonly name: string
  readonly changes: readonly Change[]
  /** The fault under which it shows. */
  readonly fault: string
  /** Played by npm test; npm run faults plays all. */
  readonly isShort?: true
}

const run = 'services/runtime/src/run.ts'
const commit = `    failpoint('after-process')
    const metadata = lane.carrier.id
    const along = following?.along(partition, metadata, worked.written)
    const commit = passage.commit({
      records: worked.written,
      offsets: [{ groupId: group, topic: stage.topic.name, partition, next, metadata }],
      ...(along && { follow: along.follow }),
    })`

/** Records of which this is true go out before the transaction. */
const sentOutside = (
  isOne: string,
): string => `    const stray = worked.written.filter((record) => ${isOne})
    if (stray.length > 0) {
      const producer = await kafka.openProducer()
      await producer.send(stray)
      await producer.close()
    }
${commit.replace('records: worked.written,', 'records: worked.written.filter((record) => !stray.includes(record)),')}`

export const mutations: readonly Mutation[] = [
  {
    name: 'the offset is committed before the outputs',
    isShort: true,
    fault: 'features killed after-process:kill@11',
    changes: [
      {
        file: run,
        from: commit,
        to: `    const metadata = lane.carrier.id
    await passage.commit({
      records: [],
      offsets: [{ groupId: group, topic: stage.topic.name, partition, next, metadata }],
    })
    const along = undefined as { committed(): void } | undefined
    failpoint('after-process')
    const commit = enter(lane).commit({ records: worked.written })`,
      },
    ],
  },
  {
    name: 'a batch whose transaction failed is not done again',
    fault: 'features and its broker: a transaction end is lost',
    changes: [
      {
        file: run,
        from: '        const waitMs = retryDelayMs(attempt, error)\n',
        to: `        const last = batch.records.at(-1)
        if (last !== undefined) {
          batch.resolve(last.offset)
          return
        }
        const waitMs = retryDelayMs(attempt, error)
`,
      },
      { file: run, from: '      batch.seek(next)\n    }\n  }\n', to: '    }\n  }\n' },
      {
        file: run,
        from: 'if (!current.begun.has(batch.topic) && batch.fetchedOffset > next) {',
        to: 'if (next < 0n) {',
      },
    ],
  },
  {
    name: 'dead letters are sent outside the transaction',
    fault: 'features killed with poison in every batch',
    changes: [
      {
        file: run,
        from: commit,
        to: sentOutside("record.topic.endsWith('.dlq')"),
      },
    ],
  },
  {
    name: 'the changelog is sent outside the transaction',
    fault: 'features killed after-process:kill@11',
    changes: [
      {
        file: run,
        from: commit,
        to: sentOutside('record.topic === processor.state?.changelog.name'),
      },
    ],
  },
  {
    name: 'rows are inserted without a key',
    fault: 'sinks killed after-database-commit:kill@3',
    changes: [
      {
        file: 'services/sinks/migrations/0001-score-history.sql',
        from: `  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cause_topic, cause_partition, cause_offset, player_id)`,
        to: '  stored_at timestamptz NOT NULL DEFAULT now()',
      },
    ],
  },
  {
    name: 'a producer is used again after its transaction end got no answer',
    isShort: true,
    fault: 'scorer and its broker: a transaction end is held past its client',
    changes: [
      {
        file: run,
        from: '          await closeLane(partition)\n',
        to: '',
      },
      {
        file: run,
        from: "'records come again')\n      await closeLane(partition)\n",
        to: "'records come again')\n",
      },
      {
        file: 'services/runtime/src/carrier.ts',
        from: '      brokenBy = error\n',
        to: '',
      },
      {
        file: 'services/runtime/src/kafkajs/transaction-manager.ts',
        from: '          throw failed(method, cause, NOTHING_REFUSED)',
        to: `          transaction = newTransaction()
          state = 'ready'
          throw cause`,
      },
    ],
  },
  {
    name: 'the carrier of a former owner is not fenced',
    fault: 'features frozen past its session, another takes over',
    changes: [
      {
        file: 'services/runtime/src/take-over.ts',
        from: '    await Promise.all([...named].map(fence))\n',
        to: '',
      },
    ],
  },
  {
    name: 'a version is loaded without a look at its digest',
    fault: 'the bytes of a version change after it was announced',
    changes: [
      {
        file: 'services/scorer/src/artifact.ts',
        from: 'if (sha256 !== expected.sha256) {',
        to: 'if (sha256.length === 0) {',
      },
    ],
  },
]

export interface MutationReport {
  readonly name: string
  /** Whether it was seen. */
  readonly red: boolean
  readonly seenAs: string
}

/** Runs a broken copy under the fault that shows it. */
export async function runMutation(
  mutation: Mutation,
  options: Omit<LabOptions, 'repository' | 'kind'>,
): Promise<MutationReport> {
  const cases = faultCases.filter(({ name }) => name === mutation.fault)
  if (cases.length === 0) throw new Error(`there is no fault ${mutation.fault}`)
  const copy = mkdtempSync(join(tmpdir(), 'churnstream-mutation-'))
  try {
    copyRepository(copy)
    mutation.changes.forEach((change) => apply(copy, change))
    const { breaches, cases: struck } = await runFaults(cases, {
      ...options,
      patienceMs,
      repository: copy,
    })
    // Trouble of the lab is no sight of the mutation.
    const trouble = struck.find(({ failure }) => failure !== null && failure !== notCaughtUp)
    if (trouble !== undefined) throw new Error(`${trouble.fault}: ${trouble.failure}`)
    const [first] = breaches
    const isStuck = struck.some(({ secondsToCatchUp }) => secondsToCatchUp === null)
    const seenAs =
      first === undefined
        ? isStuck
          ? 'the pipeline did not catch up any more'
          : 'nothing'
        : `${breaches.length} breaches, the first: ${first.kind} ${first.where}: ${first.detail}`
    return { name: mutation.name, red: first !== undefined || isStuck, seenAs }
  } catch (error) {
    // A fault that finds its own promise broken says so by a throw.
    if (!(error instanceof PromiseBroken)) throw error
    return { name: mutation.name, red: true, seenAs: error.message }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function apply(copy: string, { file, from, to }: Change): void {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  const parts = text.split(from)
  if (parts.length !== 2) {
    throw new Error(`${file} holds ${parts.length - 1} times what a mutation changes:\n${from}`)
  }
  writeFileSync(path, parts.join(to))
}

/** Our own code is copied; installed packages are linked. */
function copyRepository(copy: string): void {
  for (const folder of ['schemas', 'topology', 'services']) {
    cpSync(join(root, folder), join(copy, folder), {
      recursive: true,
      filter: (source) => !source.split(sep).includes('node_modules'),
    })
  }
  cpSync(join(root, 'package.json'), join(copy, 'package.json'))
  const [from, to] = [join(root, 'node_modules'), join(copy, 'node_modules')]
  mkdirSync(join(to, '@churnstream'), { recursive: true })
  for (const entry of readdirSync(from)) {
    if (entry !== '@churnstream') symlinkSync(join(from, entry), join(to, entry))
  }
  for (const entry of readdirSync(join(from, '@churnstream'))) {
    const own = relative(realpathSync(root), realpathSync(join(from, '@churnstream', entry)))
    symlinkSync(join(copy, own), join(to, '@churnstream', entry))
  }
}
