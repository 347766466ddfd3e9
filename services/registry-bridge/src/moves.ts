// How does another version become champion, and how does the one before come back?
import { aliases, maxDetailLength, modelTags, versionTags } from './contract.ts'
import type { Mlflow, ModelVersion, RegisteredModel } from './mlflow.ts'

/** Where the aliases stand after a move. */
export interface Move {
  readonly modelName: string
  readonly champion: string | undefined
  readonly previous: string | undefined
  /** False when everything stood so already. */
  readonly changed: boolean
}

export type MoveReason =
  | 'no-such-model'
  | 'no-such-version'
  | 'pinned'
  | 'verdict'
  | 'gate'
  | 'no-champion'
  | 'no-previous'
  | 'moved-on'
  | 'previous-rolled-back'
  | 'previous-unhealthy'

/** The move isn't made; the message says why and what to do. */
export class MoveRefused extends Error {
  override name = 'MoveRefused'
  readonly reason: MoveReason
  constructor(reason: MoveReason, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface PromoteOptions {
  /** Promotes in spite of a verdict or a gate that refused the version. A pin still holds. */
  readonly force?: boolean
}

export interface RollBackOptions {
  readonly kind: 'manual' | 'automatic'
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Refused when another version is champion by now. */
  readonly from?: string
}

/**
 * Makes a version champion and remembers the one before as `previous`.
 * @throws MoveRefused, and what Mlflow throws
 */
export async function promote(
  mlflow: Mlflow,
  modelName: string,
  version: string,
  options: PromoteOptions = {},
): Promise<Move> {
  const model = await existingModel(mlflow, modelName)
  const pinned = model.tags[modelTags.pinned]
  if (pinned !== undefined && pinned !== version) {
    throw new MoveRefused(
      'pinned',
      `${modelName} is pinned to version ${pinned}. Unpin it, or pin it to version ${version}.`,
    )
  }
  const promoted = await promotable(mlflow, model, version, options)
  return makeChampion(mlflow, model, promoted)
}

/**
 * Makes `previous` champion again and marks the version that it replaces. Rolling back twice does
 * not bring the bad version back: its mark refuses that.
 * @throws MoveRefused, and what Mlflow throws
 */
export async function rollBack(
  mlflow: Mlflow,
  modelName: string,
  options: RollBackOptions,
): Promise<Move> {
  const { kind, reason, nowMs, from } = options
  const model = await existingModel(mlflow, modelName)
  const { [aliases.champion]: bad, [aliases.previous]: good } = model.aliases
  if (bad === undefined) {
    throw new MoveRefused('no-champion', `${modelName} has no champion. Promote a version.`)
  }
  if (from !== undefined && from !== bad) {
    throw new MoveRefused(
      'moved-on',
      `version ${bad} is champion of ${modelName} by now, not ${from}: nothing to roll back.`,
    )
  }
  if (good === undefined || good === bad) {
    throw new MoveRefused(
      'no-previous',
      `${modelName} has no version before ${bad} to go back to. Promote one.`,
    )
  }
  const pinned = model.tags[modelTags.pinned]
  if (pinned !== undefined && pinned !== good) {
    throw new MoveRefused('pinned', `${modelName} is pinned to version ${pinned}. Unpin it first.`)
  }
  const tags = (await mlflow.version(modelName, good))?.tags ?? {}
  const mark = tags[versionTags.rolledBack]
  if (mark !== undefined) {
    throw new MoveRefused(
      'previous-rolled-back',
      `version ${good} of ${modelName}, the one before ${bad}, was itself rolled back (${mark}). Promote a version.`,
    )
  }
  const verdict = tags[versionTags.verdict]
  if (kind === 'automatic' && (verdict === 'refused' || verdict === 'unhealthy')) {
    throw new MoveRefused(
      'previous-unhealthy',
      `version ${good} of ${modelName}, the one before ${bad}, is ${verdict} itself. Promote a version.`,
    )
  }
  // Safe to be interrupted after each call, and to be done by two at once, because each writes what
  // follows from one reading: the mark first, so that a bad version never stands unmarked under
  // `previous`; `previous` last, because until the champion is moved it is the only place that says
  // which version is good. Interrupted before that, champion and previous are the same version,
  // which reads as having no previous: as little to roll back to as a marked one.
  const markText = `${new Date(nowMs).toISOString()} ${kind}: ${reason}`.slice(0, maxDetailLength)
  await mlflow.setVersionTags(modelName, bad, { [versionTags.rolledBack]: markText })
  await mlflow.setAlias(modelName, aliases.champion, good)
  await mlflow.setAlias(modelName, aliases.previous, bad)
  return { modelName, champion: good, previous: bad, changed: true }
}

/**
 * Keeps a version champion, promoting it when it isn't; undefined lets the model move again.
 * @throws MoveRefused, and what Mlflow throws
 */
export async function pin(
  mlflow: Mlflow,
  modelName: string,
  version: string | undefined,
  options: PromoteOptions = {},
): Promise<Move> {
  const model = await existingModel(mlflow, modelName)
  const pinned = model.tags[modelTags.pinned]
  if (version === undefined) {
    if (pinned !== undefined) await mlflow.deleteModelTag(modelName, modelTags.pinned)
    return { modelName, ...standing(model), changed: pinned !== undefined }
  }
  // All that can refuse comes first: a pin to a version that can't be champion would block both.
  const promoted = await promotable(mlflow, model, version, options)
  if (pinned !== version) await mlflow.setModelTag(modelName, modelTags.pinned, version)
  const move = await makeChampion(mlflow, model, promoted)
  return { ...move, changed: move.changed || pinned !== version }
}

// Safe to be interrupted after each call: `previous` first, because once the champion is moved
// nothing else says what it was; done again, it is written again. The mark of a rollback goes last:
// a version without it that isn't champion could be rolled back to. Doing it again takes it away.
async function makeChampion(
  mlflow: Mlflow,
  model: RegisteredModel,
  promoted: ModelVersion,
): Promise<Move> {
  const { name: modelName } = model
  const { version } = promoted
  const before = standing(model)
  const marked = promoted.tags[versionTags.rolledBack] !== undefined
  const moves = before.champion !== version
  if (moves) {
    if (before.champion !== undefined) {
      await mlflow.setAlias(modelName, aliases.previous, before.champion)
    }
    await mlflow.setAlias(modelName, aliases.champion, version)
  }
  if (marked) await mlflow.deleteVersionTag(modelName, version, versionTags.rolledBack)
  const previous = moves ? (before.champion ?? before.previous) : before.previous
  return { modelName, champion: version, previous, changed: moves || marked }
}

async function promotable(
  mlflow: Mlflow,
  model: RegisteredModel,
  version: string,
  { force = false }: PromoteOptions,
): Promise<ModelVersion> {
  const { name: modelName } = model
  const found = await mlflow.version(modelName, version)
  if (found === undefined) {
    const newest = (await mlflow.versions(modelName)).slice(0, 5).map((one) => one.version)
    throw new MoveRefused(
      'no-such-version',
      `${modelName} has no version ${version}. Its newest: ${newest.join(', ') || 'none'}.`,
    )
  }
  // What serves already isn't promoted, so nothing about it can refuse.
  if (force || version === standing(model).champion) return found
  const verdict = found.tags[versionTags.verdict]
  if (verdict === 'refused' || verdict === 'unhealthy') {
    const { [versionTags.verdictReason]: reason = '', [versionTags.verdictDetail]: detail = '' } =
      found.tags
    throw new MoveRefused(
      'verdict',
      `a scorer found version ${version} of ${modelName} ${verdict} (${reason}: ${detail}). ` +
        'Mend it and register it again, or force it.',
    )
  }
  const gate = found.tags[versionTags.gate]
  if (gate?.startsWith('refused')) {
    throw new MoveRefused(
      'gate',
      `the gate of version ${version} of ${modelName} says ${gate}. ` +
        'Mend it and register it again, or force it.',
    )
  }
  return found
}

async function existingModel(mlflow: Mlflow, modelName: string): Promise<RegisteredModel> {
  const model = await mlflow.model(modelName)
  if (model !== undefined) return model
  throw new MoveRefused(
    'no-such-model',
    `MLflow has no model ${modelName}. Import or train a version of it.`,
  )
}

const standing = ({ aliases: named }: RegisteredModel) => ({
  champion: named[aliases.champion],
  previous: named[aliases.previous],
})
