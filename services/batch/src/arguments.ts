// What did the command line ask for?
import { RowProblem, toInstant, toMarket } from './core/cells.ts'
import { UsageError } from './exit.ts'
import type { ScoreOptions, ScoreTarget } from './score.ts'
import { checkTarget } from './write-rows.ts'
import { basename } from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'

export const scoreUsage = `npm run score -- SOURCE --model MODEL --to TARGET [options]

Scores files of rows with a registered model, as the stream would.

  SOURCE              a file or a folder, here or as s3://bucket/key: .csv, .jsonl, .ndjson or .json
                      (each may be .gz), or .parquet. Columns are the model's, or the features of
                      the catalogue; player_id, as_of and market are taken along
  --model MODEL       models:/NAME@ALIAS, models:/NAME/VERSION, or a folder of a version: then no
                      server is needed
  --to TARGET         a file, here or in S3: .parquet, .jsonl or .csv (the last two may be .gz);
                      or postgres: loaded as a batch, which npm run publish-scores shows to readers
  --slot SLOT         with postgres: what the batch is for, e.g. weekly/us-nj/2026-11-16
  --rejects FILE      rows that can't be scored, as JSON lines (beside TARGET)
  --max-rejected N    keep nothing when more than this share of the rows is rejected (0.05)
  --as-of T           for rows without as_of: milliseconds since 1970, or an ISO date or time
  --market MARKET     for rows without market
  --json              the summary as JSON, on the last line
  --data-dir FOLDER   where the running demo keeps its data (.data)

Exits 0 when done, 1 when trying again changes nothing, 75 when the world was away: try again.
The stack is the one in the environment (MLFLOW_TRACKING_URI, S3_ENDPOINT, DATABASE_URL, AWS_…), or
a demo that runs.`

export const publishUsage = `npm run publish-scores -- BATCH [options]

Lets the slot of a loaded batch show its scores: all of them, at once. Publishing the batch before
again is the way back.

  BATCH               the batchId that npm run score -- … --to postgres gave
  --json              the result as JSON, on the last line
  --data-dir FOLDER   where the running demo keeps its data (.data)

Exits 0 when done, 1 when trying again changes nothing, 75 when PostgreSQL was away: try again.`

interface Common {
  readonly isJson: boolean
  readonly dataDir: string | undefined
}

export type ScoreCommand = Common & Omit<ScoreOptions, 'installation' | 'signal' | 'onProgress'>

export interface PublishCommand extends Common {
  readonly batchId: string
}

const common = {
  json: { type: 'boolean', default: false },
  'data-dir': { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

/** 'help' when it was asked for. @throws UsageError */
export function parseScore(args: readonly string[]): ScoreCommand | 'help' {
  const { values, positionals } = understood(args, scoreUsage, {
    ...common,
    model: { type: 'string' },
    to: { type: 'string' },
    slot: { type: 'string' },
    rejects: { type: 'string' },
    'max-rejected': { type: 'string', default: '0.05' },
    'as-of': { type: 'string' },
    market: { type: 'string' },
  } as const)
  if (values.help) return 'help'
  const [source, extra] = positionals
  if (extra !== undefined) throw wrong(`it takes one SOURCE, not also ${extra}`, scoreUsage)
  if (!source) throw wrong('SOURCE is missing', scoreUsage)
  if (!values.model) throw wrong('--model is missing', scoreUsage)
  const to = toTarget(values.to, values.slot)
  return {
    source,
    model: values.model,
    to,
    rejects: values.rejects ?? usualRejects(to, source),
    asOf: values['as-of'] === undefined ? undefined : toAsOf(values['as-of']),
    market: values.market === undefined ? undefined : toMarketOption(values.market),
    maxRejectedShare: toShare(values['max-rejected']),
    isJson: values.json,
    dataDir: values['data-dir'],
  }
}

/** 'help' when it was asked for. @throws UsageError */
export function parsePublish(args: readonly string[]): PublishCommand | 'help' {
  const { values, positionals } = understood(args, publishUsage, common)
  if (values.help) return 'help'
  const [batchId, extra] = positionals
  if (extra !== undefined) throw wrong(`it takes one BATCH, not also ${extra}`, publishUsage)
  if (!batchId) throw wrong('BATCH is missing', publishUsage)
  return { batchId, isJson: values.json, dataDir: values['data-dir'] }
}

const wrong = (what: string, usage: string): UsageError => new UsageError(`${what}\n\n${usage}`)

function understood<O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  usage: string,
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    // parseArgs explains at length how to escape; its first sentence says what is wrong.
    throw wrong((error as Error).message.split('. ')[0] as string, usage)
  }
}

function toTarget(to: string | undefined, slot: string | undefined): ScoreTarget {
  if (!to) throw wrong('--to is missing', scoreUsage)
  if (to === 'postgres') {
    if (!slot) throw wrong('--slot is missing: what is the batch for?', scoreUsage)
    return { kind: 'postgres', slot }
  }
  if (slot !== undefined) throw wrong('--slot goes with --to postgres only', scoreUsage)
  checkTarget(to)
  return { kind: 'file', target: to }
}

function usualRejects(to: ScoreTarget, source: string): string {
  const of = to.kind === 'file' ? to.target : basename(source.replace(/\/+$/, ''))
  return `${of}.rejects.jsonl`
}

function toAsOf(text: string): number {
  const asOf = toInstant(text)
  if (typeof asOf === 'number') return asOf
  const detail = asOf?.detail ?? 'as_of is nothing'
  throw wrong(detail.replace('as_of', '--as-of'), scoreUsage)
}

function toMarketOption(text: string): string {
  const market = toMarket(text)
  if (market === null || market instanceof RowProblem) {
    throw wrong('--market takes a code, like us-nj', scoreUsage)
  }
  return market
}

function toShare(text: string): number {
  const share = Number(text)
  if (text !== '' && share >= 0 && share <= 1) return share
  throw wrong(`--max-rejected takes a share from 0 to 1, not ${text}`, scoreUsage)
}
