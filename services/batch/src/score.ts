// How is a whole source scored, and everything of it accounted for?
import { FatalError } from '@churnstream/runtime'
import { join } from 'node:path'
import { batchIdOf, loadBatch, prepareBatches, type BatchIdentity } from './batches.ts'
import { keyNames, planRows, type RowPlan } from './core/row-plan.ts'
import { Tally, type Summary } from './core/summary.ts'
import { openDraft, openScratch } from './files.ts'
import { openInputs, type InputFile } from './inputs.ts'
import type { Installation } from './installation.ts'
import { openPinnedModel, type PinnedModel } from './model.ts'
import { readScores } from './read-parquet.ts'
import type { Rows, Wanted } from './row-batch.ts'
import { openRows } from './rows.ts'
import { scoreRows, type Reject, type ScoreSettings } from './score-rows.ts'
import { SeenKeys } from './seen-keys.ts'
import { encodeLines } from './write-lines.ts'
import { openScoreWriter } from './write-rows.ts'

export interface ScoreOptions {
  readonly source: string
  readonly model: string
  readonly to: ScoreTarget
  /** Where rows go that can't be scored: a local path or s3://bucket/key. */
  readonly rejects: string
  readonly asOf: number | undefined
  readonly market: string | undefined
  /** Nothing is kept when more of the rows are rejected. */
  readonly maxRejectedShare: number
  readonly installation: Installation
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

export type ScoreTarget =
  | { readonly kind: 'file'; readonly target: string }
  | { readonly kind: 'postgres'; readonly slot: string }

const progressEveryMs = 5_000

/**
 * Nothing is seen under the target before every row is accounted for.
 * @throws FatalError, UsageError, ModelRefused, MlflowRefused: asking again changes nothing
 * @throws TransientError when the world is away: ask again
 */
export async function scoreSource(options: ScoreOptions): Promise<Summary> {
  const { installation, to, onProgress } = options
  const startedAt = performance.now()
  const settings = { ...options, needsKeys: to.kind === 'postgres' }
  if (to.kind === 'postgres') await prepareBatches(installation.database())
  await using model = await openPinnedModel(options.model, installation)
  onProgress(`version ${model.version} of ${model.name} has passed its gates`)
  await using inputs = await openInputs(options.source, installation)
  const opened = await openAll(inputs.files, model, settings, onProgress)

  await using scratch = await openScratch()
  const target = to.kind === 'file' ? to.target : join(scratch.path, 'scores.parquet')
  await using scores = await openScoreWriter(target, installation)
  await using rejects = await openRejects(options.rejects, installation)
  const tally = new Tally()
  const seen = new SeenKeys()
  let toldAt = startedAt
  for (const { file, rows, plan } of opened) {
    const { source } = file
    for await (const part of scoreRows({ model, source, rows, plan, settings, seen })) {
      options.signal.throwIfAborted()
      if (part.scores.length > 0) await scores.write(part.scores)
      if (part.rejects.length > 0) await rejects.write(part.rejects)
      tally.add(part)
      if (performance.now() - toldAt < progressEveryMs) continue
      toldAt = performance.now()
      const perSecond = Math.round(tally.rowsIn / ((toldAt - startedAt) / 1000))
      onProgress(`${tally.rowsIn} rows, ${perSecond} rows/s, ${tally.rejected} rejected`)
    }
  }
  if (tally.rowsIn !== scores.rows + rejects.rows) {
    throw new Error(
      `${tally.rowsIn} rows were read, ${scores.rows} scored and ${rejects.rows} rejected`,
    )
  }
  const written = await scores.close()
  await inputs.confirm()
  await model.confirm()
  await rejects.finish()
  refuseIfTooMany(tally, options)

  const { inputSha256, identity } = identityOf(options, model, inputs.sha256)
  // For PostgreSQL they are in a file of our own: what is loaded has been counted.
  await scores.finish()
  if (to.kind === 'postgres') {
    const { rowsIn, scored, rejected } = tally
    const batch = { ...identity, rowsIn, scored, rejected }
    const loaded = await loadBatch(installation.database(), batch, readScores(target))
    onProgress(
      loaded.wasLoaded
        ? `batch ${loaded.batchId} was loaded before`
        : `batch ${loaded.batchId} is loaded: ${scored} rows, seen by nobody until published`,
    )
  }
  const { name, version, uri } = model
  return tally.summary({
    model: { name, version, uri },
    source: options.source,
    target: to.kind === 'file' ? to.target : 'postgres',
    batchId: batchIdOf(identity),
    seconds: Number(((performance.now() - startedAt) / 1000).toFixed(3)),
    inputSha256,
    outputSha256: written.sha256,
  })
}

function identityOf(
  { to, asOf, market }: ScoreOptions,
  { name: modelName, version: modelVersion }: PinnedModel,
  inputSha256: string,
): { readonly inputSha256: string; readonly identity: BatchIdentity } {
  const slot = to.kind === 'postgres' ? to.slot : ''
  const settings = {
    ...(asOf === undefined ? {} : { asOf }),
    ...(market === undefined ? {} : { market }),
  }
  return { inputSha256, identity: { slot, modelName, modelVersion, inputSha256, settings } }
}

interface Opened {
  readonly file: InputFile
  readonly rows: Rows
  readonly plan: RowPlan
}

/** @throws FatalError with what is wrong with each file, before a row is scored */
async function openAll(
  files: readonly InputFile[],
  model: PinnedModel,
  settings: ScoreSettings,
  onProgress: (line: string) => void,
): Promise<Opened[]> {
  const { columns } = model
  const planOf = (names: Iterable<string>): RowPlan =>
    planRows(columns, names, settings.market !== undefined)
  const everything = planOf([])
  const expected = new Set([
    ...columns.map(({ name }) => name),
    ...everything.fillers.flatMap((filler) => (filler.kind === 'category' ? [filler.feature] : [])),
    ...Object.values(keyNames),
  ])
  const missingKeys = (names: ReadonlySet<string>): string[] => {
    if (!settings.needsKeys) return []
    const { player, asOf } = keyNames
    const needed = settings.asOf === undefined ? [player, asOf] : [player]
    return needed.filter((name) => !names.has(name))
  }
  const wanted: Wanted = {
    columns: columns.map(({ name }) => name),
    expected,
    isEnough: (names) => planOf(names).missing.length === 0 && missingKeys(names).length === 0,
  }
  const opened: Opened[] = []
  const problems: string[] = []
  for (const file of files) {
    try {
      const rows = await openRows(file, wanted)
      const plan = planOf(rows.names)
      const missing = [...plan.missing, ...missingKeys(new Set(rows.names))]
      if (missing.length === 0) opened.push({ file, rows, plan })
      else problems.push(`${file.source} lacks the columns ${missing.join(', ')}`)
    } catch (error) {
      if (!(error instanceof FatalError)) throw error
      problems.push(error.message)
    }
  }
  if (problems.length > 0) throw new FatalError(problems.join('\n'))
  const ignored = new Set(opened.flatMap(({ plan }) => plan.ignored))
  if (ignored.size > 0) onProgress(`not used: ${[...ignored].sort().join(', ')}`)
  return opened
}

/** @throws FatalError */
function refuseIfTooMany(tally: Tally, { rejects, maxRejectedShare }: ScoreOptions): void {
  const { rowsIn, rejected } = tally
  const isTooMany = rejected / rowsIn > maxRejectedShare
  if (!isTooMany && tally.scored > 0) return
  const reasons = tally.reasons().map(([reason, count]) => `${count} ${reason}`)
  const limit = isTooMany
    ? `more than ${maxRejectedShare * 100} % (--max-rejected)`
    : 'so there is nothing to give out'
  throw new FatalError(
    `${rejected} of ${rowsIn} rows can't be scored, ${limit}: ${reasons.join(', ')}. ` +
      `They stand in ${rejects}; nothing else was kept`,
  )
}

interface RejectWriter extends AsyncDisposable {
  readonly rows: number
  write(rejects: readonly Reject[]): Promise<void>
  finish(): Promise<void>
}

/** An empty file says that there are none. */
async function openRejects(target: string, installation: Installation): Promise<RejectWriter> {
  const draft = await openDraft(target, installation)
  const encoder = encodeLines<Reject>(draft.file, target.endsWith('.gz'), undefined, toLine)
  let rows = 0
  return {
    get rows() {
      return rows
    },
    async write(rejects) {
      await encoder.write(rejects)
      rows += rejects.length
    },
    async finish() {
      await encoder.finish()
      await draft.publish()
    },
    [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
  }
}

const toLine = (reject: Reject): string =>
  `${JSON.stringify(reject, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`
