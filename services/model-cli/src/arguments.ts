// What did the command line ask for?
import { parseDurationMs } from '@churnstream/command-line'
import { parseArgs, type ParseArgsConfig } from 'node:util'

/** The arguments can't be understood; the message says which one and what it should be. */
export class UsageError extends Error {
  override name = 'UsageError'
}

export interface ImportFiles {
  readonly model: string
  readonly sample: string
  readonly columns: string
  readonly metrics: string | undefined
}

/** What making a version and moving an alias have in common. */
interface Rollout {
  /** undefined: don't wait for the scorers. */
  readonly waitMs: number | undefined
}

export type Command =
  | { readonly command: 'help'; readonly of: CommandName | undefined }
  | ({
      readonly command: 'import'
      readonly market: string
      readonly name: string | undefined
      readonly files: ImportFiles
      readonly trees: string | undefined
      readonly trainWindow: string | undefined
      readonly champion: boolean
    } & Rollout)
  | ({
      readonly command: 'train'
      readonly market: string
      readonly name: string | undefined
      readonly variant: string | undefined
      /** undefined: what the demo has simulated. */
      readonly data: string | undefined
      readonly seed: number | undefined
      readonly champion: boolean
    } & Rollout)
  | { readonly command: 'check'; readonly model: string; readonly version: string }
  | ({
      readonly command: 'promote'
      readonly model: string
      readonly version: string
      readonly force: boolean
    } & Rollout)
  | ({ readonly command: 'rollback'; readonly model: string; readonly reason: string } & Rollout)
  | ({
      readonly command: 'challenge'
      readonly model: string
      /** undefined: there shall be no challenger. */
      readonly version: string | undefined
    } & Rollout)
  | ({
      readonly command: 'pin'
      readonly model: string
      /** undefined: the model may move again. */
      readonly version: string | undefined
      readonly force: boolean
    } & Rollout)
  | { readonly command: 'retrain'; readonly model: string; readonly why: string }
  | { readonly command: 'status'; readonly model: string | undefined }

export type CommandName = Exclude<Command['command'], 'help'>

export interface Parsed {
  readonly command: Command
  readonly isJson: boolean
  /** Where a running demo keeps its data; undefined is the usual folder. */
  readonly dataDir: string | undefined
}

const rolloutHelp = `  --wait 30s          how long the scorers may take to answer (s, m or h)
  --no-wait           move the alias and don't wait for the scorers`

export const usages: Readonly<Record<CommandName, string>> = {
  import: `npm run model -- import --model FILE --sample FILE --columns FILE --market MARKET [options]

Registers a model that was trained elsewhere as the next version of churn-MARKET.

  --model FILE        XGBoost's model.json or model.ubj of a binary classifier
  --sample FILE       rows it was tested with: any orientation of pandas, JSON lines or CSV
  --columns FILE      its columns in order: a JSON list, or one name a line
  --market MARKET     a market's code, or default
  --name NAME         another registered model than churn-MARKET
  --metrics FILE      a JSON object of numbers
  --trees best|all    after early stopping: the best trees (usual) or all of them
  --train-window W    the days it was trained on: 2025-01-01/2025-06-30
  --champion          make it champion, if it can serve
${rolloutHelp}`,
  train: `npm run model -- train --market MARKET [--variant VARIANT] [options]

Trains a model and registers it as the next version of churn-MARKET.

  --market MARKET     a file of services/training/markets
  --variant VARIANT   a file of services/training/variants (the market's usual one)
  --data FILE         training set, CSV, may be gzipped (what the demo has simulated)
  --seed N            same data, configuration and seed: same model
  --name NAME         another registered model than churn-MARKET
  --champion          make it champion, if it can serve
${rolloutHelp}`,
  check: `npm run model -- check MARKET|NAME VERSION|ALIAS

Shows, column by column, whether a version fits the feature catalogue. Exits 1 when it can't serve.`,
  promote: `npm run model -- promote MARKET|NAME VERSION [options]

Makes a version champion and waits until the scorers serve it. The one before becomes previous.

  --force             in spite of a verdict or a gate that refused it
${rolloutHelp}`,
  rollback: `npm run model -- rollback MARKET|NAME [options]

Makes the previous version champion again, and marks the one that it replaces.

  --reason TEXT       what was wrong with it
${rolloutHelp}`,
  challenge: `npm run model -- challenge MARKET|NAME VERSION|--off [options]

Lets a version score the champion's vectors in its shadow. status shows how they compare.

  --off               take the challenger away
${rolloutHelp}`,
  pin: `npm run model -- pin MARKET|NAME VERSION|--off [options]

Keeps a version champion: nothing else is promoted and nothing rolled back until it is unpinned.

  --off               let the model move again
  --force             in spite of a verdict or a gate that refused it
${rolloutHelp}`,
  retrain: `npm run model -- retrain MARKET|NAME --why TEXT

Asks the orchestration for a new version of a model, as the monitor does when it finds a reason.

  --why TEXT          for who reads the request`,
  status: `npm run model -- status [MARKET|NAME]

Shows what stands under each alias, and what every scorer replica has loaded.`,
}

export const usage = `npm run model -- COMMAND [arguments]

  import     register a model that was trained elsewhere
  train      train one and register it
  check      does a version fit the feature catalogue?
  promote    make a version champion
  rollback   make the previous champion serve again
  challenge  let a version score in the champion's shadow
  pin        keep a version champion
  retrain    ask the orchestration for a new version
  status     what serves, where, and since when

  COMMAND --help      more of a command
  --json              the result as JSON
  --data-dir FOLDER   where the running demo keeps its data (.data)

The stack is the one in the environment (MLFLOW_TRACKING_URI, KAFKA_BOOTSTRAP_SERVERS,
SCHEMA_REGISTRY_URL, S3_ENDPOINT, AWS_…), or a demo that runs.`

const usualWaitMs = 30_000

const common = {
  json: { type: 'boolean', default: false },
  'data-dir': { type: 'string' },
  help: { type: 'boolean', default: false },
} as const
const rollout = {
  wait: { type: 'string' },
  'no-wait': { type: 'boolean', default: false },
} as const

/** @throws UsageError */
export function parseCommand(args: readonly string[]): Parsed {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === 'help') {
    return { command: { command: 'help', of: undefined }, isJson: false, dataDir: undefined }
  }
  if (!Object.hasOwn(usages, name)) {
    throw new UsageError(
      `there is no command ${name}; there are: ${Object.keys(usages).join(', ')}`,
    )
  }
  return parsers[name as CommandName](rest)
}

const parsers: Record<CommandName, (args: readonly string[]) => Parsed> = {
  import: (args) =>
    parse('import', args, [], {
      options: {
        ...rollout,
        model: { type: 'string' },
        sample: { type: 'string' },
        columns: { type: 'string' },
        market: { type: 'string' },
        name: { type: 'string' },
        metrics: { type: 'string' },
        trees: { type: 'string' },
        'train-window': { type: 'string' },
        champion: { type: 'boolean', default: false },
      },
      make: (_, values) => ({
        command: 'import',
        market: needed('--market', values.market),
        name: values.name,
        files: {
          model: needed('--model', values.model),
          sample: needed('--sample', values.sample),
          columns: needed('--columns', values.columns),
          metrics: values.metrics,
        },
        trees: values.trees,
        trainWindow: values['train-window'],
        champion: values.champion,
        waitMs: waitMsOf(values),
      }),
    }),
  train: (args) =>
    parse('train', args, [], {
      options: {
        ...rollout,
        market: { type: 'string' },
        variant: { type: 'string' },
        data: { type: 'string' },
        seed: { type: 'string' },
        name: { type: 'string' },
        champion: { type: 'boolean', default: false },
      },
      make: (_, values) => ({
        command: 'train',
        market: needed('--market', values.market),
        name: values.name,
        variant: values.variant,
        data: values.data,
        seed: values.seed === undefined ? undefined : toSeed(values.seed),
        champion: values.champion,
        waitMs: waitMsOf(values),
      }),
    }),
  check: (args) =>
    parse('check', args, ['MARKET', 'VERSION'], {
      options: {},
      make: ([model, version]) => ({
        command: 'check',
        model: needed('MARKET', model),
        version: needed('VERSION', version),
      }),
    }),
  promote: (args) =>
    parse('promote', args, ['MARKET', 'VERSION'], {
      options: { ...rollout, force: { type: 'boolean', default: false } },
      make: ([model, version], values) => ({
        command: 'promote',
        model: needed('MARKET', model),
        version: needed('VERSION', version),
        force: values.force,
        waitMs: waitMsOf(values),
      }),
    }),
  rollback: (args) =>
    parse('rollback', args, ['MARKET'], {
      options: { ...rollout, reason: { type: 'string', default: 'asked for' } },
      make: ([model], values) => ({
        command: 'rollback',
        model: needed('MARKET', model),
        reason: values.reason,
        waitMs: waitMsOf(values),
      }),
    }),
  challenge: (args) =>
    parse('challenge', args, ['MARKET', 'VERSION'], {
      options: { ...rollout, off: { type: 'boolean', default: false } },
      make: ([model, version], values) => ({
        command: 'challenge',
        model: needed('MARKET', model),
        version: versionOrOff(version, values.off),
        waitMs: waitMsOf(values),
      }),
    }),
  pin: (args) =>
    parse('pin', args, ['MARKET', 'VERSION'], {
      options: {
        ...rollout,
        off: { type: 'boolean', default: false },
        force: { type: 'boolean', default: false },
      },
      make: ([model, version], values) => ({
        command: 'pin',
        model: needed('MARKET', model),
        version: versionOrOff(version, values.off),
        force: values.force,
        waitMs: waitMsOf(values),
      }),
    }),
  retrain: (args) =>
    parse('retrain', args, ['MARKET'], {
      options: { why: { type: 'string' } },
      make: ([model], { why }) => ({
        command: 'retrain',
        model: needed('MARKET', model),
        why: needed('--why', why?.trim()),
      }),
    }),
  status: (args) =>
    parse('status', args, ['MARKET'], {
      options: {},
      make: ([model]) => ({ command: 'status', model }),
    }),
}

type Options = NonNullable<ParseArgsConfig['options']>
type Values<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O & typeof common; allowPositionals: true }>
>['values']

function parse<O extends Options>(
  name: CommandName,
  args: readonly string[],
  places: readonly string[],
  {
    options,
    make,
  }: { options: O; make: (positionals: readonly string[], values: Values<O>) => Command },
): Parsed {
  const { values, positionals } = understood(name, () =>
    parseArgs({ args: [...args], options: { ...common, ...options }, allowPositionals: true }),
  )
  const shared = values as { json: boolean; help: boolean; 'data-dir'?: string }
  const rest = { isJson: shared.json, dataDir: shared['data-dir'] }
  if (shared.help) return { command: { command: 'help', of: name }, ...rest }
  const extra = positionals[places.length]
  if (extra !== undefined) throw wrong(name, `does not know what to do with ${extra}`)
  const command = understood(name, () => make(positionals, values as Values<O>))
  return { command, ...rest }
}

function understood<T>(name: CommandName, work: () => T): T {
  try {
    return work()
  } catch (error) {
    // parseArgs explains at length how to escape; its first sentence says what is wrong.
    throw wrong(name, (error as Error).message.split('. ')[0] as string)
  }
}

const wrong = (name: CommandName, what: string): UsageError =>
  new UsageError(`${name}: ${what}\n\n${usages[name]}`)

function needed(what: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value
  throw new Error(`${what} is missing`)
}

function versionOrOff(version: string | undefined, off: boolean): string | undefined {
  if (off && version !== undefined) throw new Error(`either ${version} or --off, not both`)
  return off ? undefined : needed('VERSION or --off', version)
}

function waitMsOf(values: { wait?: string | undefined; 'no-wait': boolean }): number | undefined {
  if (values['no-wait']) {
    if (values.wait !== undefined) throw new Error('either --wait or --no-wait, not both')
    return undefined
  }
  return values.wait === undefined ? usualWaitMs : parseDurationMs('--wait', values.wait, '30s')
}

function toSeed(text: string): number {
  const value = Number(text)
  if (text !== '' && Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value
  throw new Error(`--seed takes a whole number below ${2 ** 31}, not ${text}`)
}
