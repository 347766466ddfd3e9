// How does a command that Dagster started tell it what happens?
import { FatalError, messageOf } from '@churnstream/runtime'
import { appendFileSync, readFileSync } from 'node:fs'
import { inflateSync } from 'node:zlib'
import { z } from 'zod'

const protocolVersion = '0.1'

export const pipesLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const
export type PipesLevel = (typeof pipesLevels)[number]

export type PipesMetadataType =
  | '__infer__'
  | 'text'
  | 'url'
  | 'path'
  | 'notebook'
  | 'json'
  | 'md'
  | 'float'
  | 'int'
  | 'bool'
  | 'dagster_run'
  | 'asset'
  | 'null'
  | 'job'
  | 'timestamp'

/** A plain value has its type inferred by Dagster. */
export type PipesMetadataValue =
  | string
  | number
  | boolean
  | null
  | { readonly raw_value: unknown; readonly type: PipesMetadataType }
export type PipesMetadata = Readonly<Record<string, PipesMetadataValue>>

const range = z.object({ start: z.string(), end: z.string() })
const contextShape = z.looseObject({
  run_id: z.string(),
  retry_number: z.number(),
  extras: z.record(z.string(), z.unknown()),
  asset_keys: z.array(z.string()).nullish(),
  job_name: z.string().nullish(),
  partition_key: z.string().nullish(),
  partition_key_range: range.nullish(),
  partition_time_window: range.nullish(),
})
/** What Dagster says of the run; names are Dagster's. */
export type PipesContext = Readonly<z.output<typeof contextShape>>

/** Without Dagster every call does nothing. After close every further call throws. */
export interface Pipes {
  /** undefined: this process was not started by Dagster. */
  readonly context: PipesContext | undefined
  log(message: string, level?: PipesLevel): void
  /** Once for each asset. The key may be left out when the run has one asset. */
  reportAssetMaterialization(report: {
    readonly assetKey?: string
    readonly metadata?: PipesMetadata
    readonly dataVersion?: string
  }): void
  reportAssetCheck(report: {
    readonly assetKey?: string
    readonly checkName: string
    readonly passed: boolean
    readonly severity?: 'WARN' | 'ERROR'
    readonly metadata?: PipesMetadata
  }): void
  reportCustomMessage(payload: unknown): void
  /** Always last, with the error that ended the work if one did. A second call does nothing. */
  close(error?: unknown): void
}

type Stdio = Readonly<Record<'stdout' | 'stderr', { write(text: string): unknown }>>

/**
 * Reads DAGSTER_PIPES_CONTEXT and DAGSTER_PIPES_MESSAGES and says `opened`. Messages go to a file or
 * to an output of this process.
 * @throws FatalError when the variables can't be read, or ask for another channel
 */
export function openPipes(
  env: Readonly<Record<string, string | undefined>>,
  stdio: Stdio = process,
): Pipes {
  const { DAGSTER_PIPES_CONTEXT: told, DAGSTER_PIPES_MESSAGES: channel } = env
  if (told === undefined) return silent
  if (channel === undefined) {
    throw new FatalError('DAGSTER_PIPES_CONTEXT is set and DAGSTER_PIPES_MESSAGES is not')
  }
  const context = readContext(decode('DAGSTER_PIPES_CONTEXT', told))
  const messages = openChannel(decode('DAGSTER_PIPES_MESSAGES', channel), stdio)
  const materialized = new Set<string>()
  let isClosed = false

  const send = (method: string, params: object): void => {
    if (isClosed) throw new Error(`${method} after close`)
    messages.write(
      `${JSON.stringify({ __dagster_pipes_version: protocolVersion, method, params })}\n`,
    )
  }
  const keyOf = (given: string | undefined): string => {
    const keys = context.asset_keys ?? []
    const key = given ?? (keys.length === 1 ? keys[0] : undefined)
    if (key !== undefined) return key
    throw new Error(`which of the run's ${keys.length} assets is meant must be said`)
  }

  send('opened', { extras: {} })
  return {
    context,
    log: (message, level = 'INFO') => send('log', { message, level }),
    reportAssetMaterialization({ assetKey, metadata = {}, dataVersion }) {
      const key = keyOf(assetKey)
      if (materialized.has(key)) throw new Error(`${key} was materialized already`)
      materialized.add(key)
      send('report_asset_materialization', {
        asset_key: key,
        metadata: toMetadata(metadata),
        data_version: dataVersion ?? null,
      })
    },
    reportAssetCheck({ assetKey, checkName, passed, severity = 'ERROR', metadata = {} }) {
      send('report_asset_check', {
        asset_key: keyOf(assetKey),
        check_name: checkName,
        passed,
        severity,
        metadata: toMetadata(metadata),
      })
    },
    reportCustomMessage: (payload) => send('report_custom_message', { payload }),
    close(error) {
      if (isClosed) return
      send('closed', error === undefined ? {} : { exception: toException(error) })
      isClosed = true
      messages.flush()
    },
  }
}

const silent: Pipes = {
  context: undefined,
  log: () => undefined,
  reportAssetMaterialization: () => undefined,
  reportAssetCheck: () => undefined,
  reportCustomMessage: () => undefined,
  close: () => undefined,
}

function decode(name: string, value: string): unknown {
  try {
    return JSON.parse(inflateSync(Buffer.from(value, 'base64')).toString('utf8'))
  } catch (error) {
    throw new FatalError(`${name} is not what Dagster writes: ${messageOf(error)}`)
  }
}

const contextParams = z.union([
  z.looseObject({ data: z.unknown() }),
  z.looseObject({ path: z.string() }),
])

function readContext(params: unknown): PipesContext {
  const parsed = contextParams.safeParse(params)
  const data = parsed.data
  if (data === undefined) throw new FatalError('the context of Dagster comes by no file: use one')
  try {
    const context: unknown =
      typeof data['path'] === 'string'
        ? JSON.parse(readFileSync(data['path'], 'utf8'))
        : data['data']
    return contextShape.parse(context)
  } catch (error) {
    throw new FatalError(`the context of Dagster can't be read: ${messageOf(error)}`)
  }
}

const stdioName = z.enum(['stdout', 'stderr'])
const messageParams = z.union([
  z.looseObject({ path: z.string() }).transform(({ path }) => ({ kind: 'path' as const, path })),
  z.looseObject({ stdio: stdioName }).transform(({ stdio }) => ({ kind: 'stdio' as const, stdio })),
  z
    .looseObject({ buffered_stdio: stdioName })
    .transform((params) => ({ kind: 'buffered' as const, stdio: params.buffered_stdio })),
])

interface Channel {
  write(line: string): void
  flush(): void
}

function openChannel(params: unknown, stdio: Stdio): Channel {
  const { data } = messageParams.safeParse(params)
  if (data === undefined) {
    throw new FatalError('messages to Dagster go to a file or to an output of the process only')
  }
  const nothing = (): void => undefined
  if (data.kind === 'path') {
    return { write: (line) => appendFileSync(data.path, line), flush: nothing }
  }
  const output = stdio[data.stdio]
  if (data.kind === 'stdio') return { write: (line) => void output.write(line), flush: nothing }
  const lines: string[] = []
  return {
    write: (line) => void lines.push(line),
    flush: () => void output.write(lines.join('')),
  }
}

/** null has a type of its own: Dagster can't infer one from it. */
function toMetadata(metadata: PipesMetadata): Record<string, object> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => {
      if (value === null) return [name, { raw_value: null, type: 'null' }]
      return [name, typeof value === 'object' ? value : { raw_value: value, type: '__infer__' }]
    }),
  )
}

interface Exception {
  readonly message: string
  readonly stack: readonly string[]
  readonly name: string
  readonly cause: Exception | null
  readonly context: null
}

function toException(error: unknown): Exception {
  if (!(error instanceof Error)) {
    return { message: String(error), stack: [], name: 'Error', cause: null, context: null }
  }
  const { message, name, stack = '', cause } = error
  return {
    message,
    stack: stack.split('\n').filter((line) => /^\s+at /.test(line)),
    name,
    cause: cause === undefined ? null : toException(cause),
    context: null,
  }
}
