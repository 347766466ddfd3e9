// What is asked of npm run replay?
import { UsageError, checkTarget } from '@churnstream/batch'
import { usualDataDir } from '@churnstream/topology/local'
import { parseArgs } from 'node:util'
import { parseInstant } from './core/instant.ts'

export const usage = `npm run replay -- VERB [options]

Folds activity again through the code that serves, and gives what the stream gave or would have given.

  scores   the vectors of a range of time, scored by one version
           --from T --to T      by as_of: from T up to, not including, T
           --model MODEL        models:/NAME/VERSION, models:/NAME@ALIAS or a folder
           --to-target TARGET   topic (backfill-scores), a folder or s3://bucket/prefix
           --id ID              names the replay: with the same id it goes on where it ended
           --publish SLOT       then loads the scores into PostgreSQL and lets the slot show them
  vectors  the features of each player as of an instant
           --as-of T            from what had happened before it
           --max-silence-days N players who did nothing for longer are left out (60)
           --to-target FILE     .parquet, .csv or .jsonl, also s3://…
  labels   labelled rows to learn from, as npm run model -- train takes them
           --until T            from what had happened before it
           --from T             only rows as of T or later (all)
           --share S, --seed N  of the labelled player-days; which ones follows from the seed (1, 7)
           --to-target FILE     .csv.gz, also s3://…

  --from-source SOURCE   topic (player-activity, the usual), or a file, a folder or s3://bucket/prefix
                         of events as JSON lines (.jsonl, .ndjson, also .gz), as ingestion takes them
  --market M             only players who were there
  --rejects FILE         where lines are told that are no events (beside the target)
  --max-rejected SHARE   of lines that are no events; with more the command fails (0.05)
  --accept-cut-history   retention may have taken what was before the oldest windows
  --json                 the result as JSON, as the last line of stdout
  --data-dir FOLDER      where the running demo keeps its data (.data)

T is a date, a time with its zone, or milliseconds since 1970. The servers are those in the environment
(KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL, MLFLOW_TRACKING_URI, S3_ENDPOINT, AWS_…, DATABASE_URL),
or those of a demo that runs. Exits with 0 when done, 75 when the same command may succeed later, 1
when it will not.`

interface Common {
  /** topic, or a location of files. */
  readonly source: string
  readonly target: string
  readonly market: string | undefined
  readonly rejects: string | undefined
  readonly maxRejectedShare: number
  readonly acceptCutHistory: boolean
  readonly json: boolean
  readonly dataDir: string
}

export interface ScoresArguments extends Common {
  readonly verb: 'scores'
  readonly fromAt: number
  readonly toAt: number
  readonly model: string
  readonly id: string
  readonly publish: string | undefined
}

export interface VectorsArguments extends Common {
  readonly verb: 'vectors'
  readonly asOf: number
  readonly maxSilenceDays: number
}

export interface LabelsArguments extends Common {
  readonly verb: 'labels'
  readonly untilAt: number
  /** Undefined: from the beginning. */
  readonly fromAt: number | undefined
  readonly share: number
  readonly seed: number
}

export type Arguments = ScoresArguments | VectorsArguments | LabelsArguments

const commonNames = [
  'from-source',
  'to-target',
  'market',
  'rejects',
  'max-rejected',
  'accept-cut-history',
  'json',
  'data-dir',
]
const ownNames: Readonly<Record<Arguments['verb'], readonly string[]>> = {
  scores: ['from', 'to', 'model', 'id', 'publish'],
  vectors: ['as-of', 'max-silence-days'],
  labels: ['until', 'from', 'share', 'seed'],
}
const text = { type: 'string' } as const

/** Undefined: help was asked for. @throws UsageError */
export function parseArguments(argv: readonly string[]): Arguments | undefined {
  const { values, positionals } = parse(argv)
  const [verb, ...others] = positionals
  if (values.help || verb === undefined) return undefined
  if (!isVerb(verb)) throw new UsageError(`there is no verb ${verb}; see --help`)
  if (others.length > 0) throw new UsageError(`${others[0]} is one word too many; see --help`)
  const known = new Set([...commonNames, ...ownNames[verb]])
  for (const name of Object.keys(values)) {
    if (!known.has(name)) throw new UsageError(`${verb} takes no --${name}; see --help`)
  }
  const read = new Reader(verb, values)
  const common: Common = {
    source: values['from-source'] ?? 'topic',
    target: read.text('to-target'),
    market: values.market,
    rejects: values.rejects,
    maxRejectedShare: read.number('max-rejected', 0.05, 1),
    acceptCutHistory: values['accept-cut-history'] ?? false,
    json: values.json ?? false,
    dataDir: values['data-dir'] ?? usualDataDir,
  }
  if (verb === 'scores') return toScores(common, read, values.publish)
  return verb === 'vectors' ? toVectors(common, read) : toLabels(common, read, values.from)
}

function toScores(common: Common, read: Reader, publish: string | undefined): ScoresArguments {
  const [fromAt, toAt, id] = [read.instant('from'), read.instant('to'), read.text('id')]
  if (fromAt >= toAt) throw new UsageError('--from must be before --to')
  // It becomes a part of names of Kafka.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id)) {
    throw new UsageError(
      `--id is ${id}: it is 1 to 100 letters, digits, dots, hyphens, underscores`,
    )
  }
  return { ...common, verb: 'scores', fromAt, toAt, model: read.text('model'), id, publish }
}

function toVectors(common: Common, read: Reader): VectorsArguments {
  checkTarget(common.target)
  const maxSilenceDays = read.number('max-silence-days', 60, 100_000)
  return { ...common, verb: 'vectors', asOf: read.instant('as-of'), maxSilenceDays }
}

function toLabels(common: Common, read: Reader, from: string | undefined): LabelsArguments {
  if (!common.target.endsWith('.csv.gz')) {
    throw new UsageError(
      `--to-target is ${common.target}: labels go to a file that ends in .csv.gz`,
    )
  }
  const [share, seed] = [read.number('share', 1, 1), read.number('seed', 7, 2 ** 31)]
  if (!Number.isInteger(seed)) throw new UsageError('--seed must be a whole number')
  const fromAt = from === undefined ? undefined : read.instant('from')
  return { ...common, verb: 'labels', untilAt: read.instant('until'), fromAt, share, seed }
}

class Reader {
  readonly #verb: string
  readonly #values: Readonly<Record<string, string | boolean | undefined>>

  constructor(verb: string, values: Readonly<Record<string, string | boolean | undefined>>) {
    this.#verb = verb
    this.#values = values
  }

  text(name: string): string {
    const value = this.#values[name]
    if (typeof value === 'string' && value !== '') return value
    throw new UsageError(`${this.#verb} needs --${name}; see --help`)
  }

  instant(name: string): number {
    try {
      return parseInstant(`--${name}`, this.text(name))
    } catch (error) {
      throw error instanceof RangeError ? new UsageError(error.message) : error
    }
  }

  /** From 0. */
  number(name: string, usual: number, most: number): number {
    const value = this.#values[name]
    if (value === undefined) return usual
    const number = this.text(name).trim() === '' ? NaN : Number(value)
    if (number >= 0 && number <= most) return number
    throw new UsageError(`--${name} is ${value}; it must be a number from 0 to ${most}`)
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        from: text,
        to: text,
        model: text,
        id: text,
        publish: text,
        'as-of': text,
        'max-silence-days': text,
        until: text,
        share: text,
        seed: text,
        'from-source': text,
        'to-target': text,
        market: text,
        rejects: text,
        'max-rejected': text,
        'accept-cut-history': { type: 'boolean' },
        json: { type: 'boolean' },
        'data-dir': text,
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    if (error instanceof TypeError && 'code' in error) throw new UsageError(error.message)
    throw error
  }
}

const isVerb = (verb: string): verb is Arguments['verb'] => Object.hasOwn(ownNames, verb)
