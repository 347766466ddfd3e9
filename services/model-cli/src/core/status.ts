// What serves, where, and since when?
import { ageText, renderTable } from '@churnstream/command-line'
import { aliases, modelTags, versionTags } from '@churnstream/registry-bridge'
import type { ModelVersion, RegisteredModel } from '@churnstream/registry-bridge'
import type { LoadReport, RegistryEvent } from '@churnstream/schemas'

export interface VersionStatus {
  readonly version: string
  /** When the alias was announced, not when the version was made. */
  readonly announcedAt: string | null
  readonly epoch: number | null
  readonly gate: string | null
  readonly verdict: string | null
  readonly verdictReason: string | null
  readonly verdictDetail: string | null
  readonly verdictAt: string | null
  readonly rolledBack: string | null
}

export interface ReplicaStatus {
  readonly replica: string
  readonly scorerVersion: string
  readonly alias: string
  readonly loadedVersion: string | null
  readonly loadedEpoch: number
  readonly loadedAt: string | null
  readonly verdict: string
  readonly verdictVersion: string | null
  readonly reason: string
  readonly detail: string
  readonly verdictAt: string | null
  readonly reportedAt: string
}

export interface ModelStatus {
  readonly modelName: string
  readonly pinned: string | null
  readonly champion: VersionStatus | null
  readonly challenger: VersionStatus | null
  readonly previous: VersionStatus | null
  /** The challenger beside its champion, as the bridge writes it; null before both scored. */
  readonly shadow: Readonly<Record<string, unknown>> | null
  readonly replicas: readonly ReplicaStatus[]
}

export interface Known {
  readonly models: readonly RegisteredModel[]
  /** Those that an alias names. */
  readonly versions: readonly ModelVersion[]
  /** Newest of each key. */
  readonly events: Iterable<{ readonly event: RegistryEvent; readonly announcedAt: number }>
  readonly reports: Iterable<LoadReport>
}

export function toStatus({ models, versions, events, reports }: Known): ModelStatus[] {
  const announced = [...events]
  const told = [...reports]
  return models
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((model) => {
      const of = (alias: string): VersionStatus | null => {
        const version = model.aliases[alias]
        if (version === undefined) return null
        const tags = versions.find((v) => v.name === model.name && v.version === version)?.tags
        const found = announced.find(
          ({ event: e }) =>
            e.modelName === model.name && e.alias === alias && e.modelVersion === version,
        )
        const tag = (key: string): string | null => tags?.[key] || null
        return {
          version,
          announcedAt: found === undefined ? null : toIso(found.announcedAt),
          epoch: found?.event.epoch ?? null,
          gate: tag(versionTags.gate),
          verdict: tag(versionTags.verdict),
          verdictReason: tag(versionTags.verdictReason),
          verdictDetail: tag(versionTags.verdictDetail),
          verdictAt: tag(versionTags.verdictAt),
          rolledBack: tag(versionTags.rolledBack),
        }
      }
      const challenger = of(aliases.challenger)
      const shadow = versions.find(
        (v) => v.name === model.name && v.version === challenger?.version,
      )?.tags[versionTags.shadow]
      return {
        modelName: model.name,
        pinned: model.tags[modelTags.pinned] ?? null,
        champion: of(aliases.champion),
        challenger,
        previous: of(aliases.previous),
        shadow: shadow === undefined ? null : (JSON.parse(shadow) as Record<string, unknown>),
        replicas: told
          .filter(({ modelName }) => modelName === model.name)
          .map(toReplica)
          .sort((a, b) => compare(a.replica, b.replica) || compare(a.alias, b.alias)),
      }
    })
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const toIso = (ms: number): string => new Date(ms).toISOString()
const orNull = (ms: number | null): string | null => (ms === null ? null : toIso(ms))

function toReplica(report: LoadReport): ReplicaStatus {
  const { replica, scorerVersion, alias, loadedVersion, loadedEpoch, verdict, reason } = report
  return {
    replica,
    scorerVersion,
    alias,
    loadedVersion,
    loadedEpoch,
    loadedAt: orNull(report.loadedAt),
    verdict,
    verdictVersion: report.verdictVersion,
    reason,
    detail: report.detail,
    verdictAt: orNull(report.verdictAt),
    reportedAt: toIso(report.reportedAt),
  }
}

export function statusText(models: readonly ModelStatus[], nowMs: number): string {
  if (models.length === 0) return 'MLflow has no model; import or train one'
  return models.map((model) => modelText(model, nowMs)).join('\n\n')
}

function modelText(model: ModelStatus, nowMs: number): string {
  const age = (iso: string | null): string => ageText(iso === null ? null : Date.parse(iso), nowMs)
  const standing = (['champion', 'challenger', 'previous'] as const).map((alias) => {
    const of = model[alias]
    if (of === null) return [alias, 'none']
    const verdict = of.verdict === null ? '–' : [of.verdict, of.verdictReason].filter(Boolean)
    return [
      alias,
      `version ${of.version}`,
      age(of.announcedAt),
      of.gate ?? '–',
      typeof verdict === 'string' ? verdict : verdict.join(': '),
      of.rolledBack === null ? '' : `rolled back ${of.rolledBack}`,
    ]
  })
  const pinned = model.pinned === null ? '' : ` (pinned to version ${model.pinned})`
  const parts = [
    `${model.modelName}${pinned}`,
    renderTable(['alias', 'stands', 'announced', 'gate', 'verdict', ''], standing, {
      indent: '  ',
    }),
  ]
  if (model.shadow !== null) parts.push(shadowText(model.shadow))
  if (model.replicas.length === 0) {
    parts.push('  no scorer has reported on this model')
    return parts.join('\n')
  }
  const rows = model.replicas.map((one) => [
    one.replica,
    one.alias,
    one.loadedVersion === null ? 'nothing' : `version ${one.loadedVersion}`,
    one.loadedEpoch < 0 ? '–' : String(one.loadedEpoch),
    age(one.loadedAt),
    one.verdictVersion === null
      ? '–'
      : `${one.verdict} ${one.verdictVersion}${one.reason === '' ? '' : `: ${one.reason}`}`,
    age(one.reportedAt),
  ])
  const header = ['replica', 'as', 'has loaded', 'epoch', 'since', 'last verdict', 'heard']
  parts.push(renderTable(header, rows, { indent: '  ' }))
  return parts.join('\n')
}

function shadowText(shadow: Readonly<Record<string, unknown>>): string {
  const number = (key: string, digits: number): string =>
    typeof shadow[key] === 'number' ? shadow[key].toFixed(digits) : '–'
  const agreement = typeof shadow['agreement'] === 'number' ? shadow['agreement'] * 100 : NaN
  return (
    `  challenger: ${number('rows', 0)} rows, same band ${agreement.toFixed(1)} %, ` +
    `score shift ${number('scoreShift', 4)}, ` +
    `${number('shadowMicrosecondsPerRow', 1)} µs a row (champion ${number('championMicrosecondsPerRow', 1)})`
  )
}
