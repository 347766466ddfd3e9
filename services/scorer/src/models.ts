// Which versions score now, for which market, and how does the next one take its place?
import type { Figure, RegistryEvent, Schemas } from '@churnstream/schemas'
import { failpoint, messageOf, type Health, type Kafka, type Log } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { followAnnouncements, type Announcement } from './announcements.ts'
import { Guard, type Breach, type GuardSettings } from './core/guard.ts'
import { fallbackMarket, type Routes } from './core/routing.ts'
import { ShadowSums } from './core/shadow.ts'
import type { GateFigures } from './gates.ts'
import type { Reports } from './reports.ts'
import { Standing } from './standing.ts'
import type { Claim, Thread, Version, Versions } from './versions.ts'

/** A version that scores live vectors. */
export interface Champion {
  readonly version: Version
  readonly epoch: number
  /** Present while the swap is fresh: the version before is then asked for its scores too. */
  readonly watch: { readonly guard: Guard; readonly before: Version } | undefined
}

/** A version that scores the same vectors without consequence. */
export interface Challenger {
  readonly version: Version
  readonly epoch: number
  readonly sums: ShadowSums
}

/** What scores at one moment; it never changes, a swap makes another one. */
export interface Routing {
  readonly champions: Routes<Champion>
  readonly challengers: Routes<Challenger>
}

export interface Models {
  /** Resolves with the first champion of the fallback; rejects when following can't go on. */
  readonly first: Promise<void>
  /** Runs with what scores now; its versions stay loaded until the run ends. */
  withCurrent<T>(use: (routing: Routing) => Promise<T>): Promise<T>
  /**
   * Resolves once every champion that stands in registry-events now was loaded or refused, so that
   * a partition that comes from another replica is not scored by an older epoch than there.
   */
  caughtUp(): Promise<void>
  /** Of the challenger of this model; empty when there is none. */
  shadowFigures(modelName: string): Figure[]
  /** The champion left its guard: said in the load report, and the registry bridge acts on it. */
  breached(champion: Champion, breach: Breach): void
  stop(): Promise<void>
}

/** A version that was taken under an alias. */
export interface Swap {
  readonly modelVersion: string
  readonly epoch: number
  readonly tookMs: number
  /** Milliseconds since 1970. */
  readonly loadedAt: number
}

export interface ModelsOptions {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly versions: Versions
  readonly reports: Reports
  /** Registered models are named <prefix><market>. */
  readonly namePrefix: string
  readonly guard: GuardSettings
  readonly log: Log
  readonly health: Health
  readonly onSwap: (key: string, swap: Swap) => void
  readonly onRefused: (key: string, reason: string) => void
  /** Nothing stands under this alias any more. */
  readonly onRemoved: (key: string) => void
}

const threads: Readonly<Record<string, Thread>> = {
  champion: 'serving',
  previous: 'serving',
  challenger: 'shadow',
}
/** Longer than a load takes; with the store away the older epoch must serve in the end. */
const catchUpWithinMs = 30_000
const part = 'model'

interface Stand {
  readonly alias: string
  readonly claim: Claim
  readonly epoch: number
  readonly guard: Guard | undefined
  /** Of a champion: the version it replaced here, warm for a rollback. */
  readonly before: Claim | undefined
  readonly sums: ShadowSums
}

interface Snapshot {
  readonly routing: Routing
  readonly claims: readonly Claim[]
  users: number
  replaced: boolean
}

/**
 * Follows registry-events from the start. Each model@alias settles by itself, so that trouble with
 * one market's version holds up no other. A refused version changes nothing that serves.
 */
export function createModels(options: ModelsOptions): Models {
  const { kafka, schemas, versions, reports, namePrefix, log, health } = options
  const fallback = `${namePrefix}${fallbackMarket}`
  const fallbackKey = `${fallback}@champion`
  const first = Promise.withResolvers<void>()
  first.promise.catch(() => undefined)
  const standings = new Map<string, Standing>()
  const stands = new Map<string, Stand>()
  /** Versions that stood their guard's time, or were here from the start: going back is no swap. */
  const proven = new Set<string>()
  let snapshot: Snapshot = takeSnapshot()

  health.waitFor(part, `no version of ${fallbackKey} has been announced`)
  log.info({ key: fallbackKey }, 'waiting for a model')
  const announcements = followAnnouncements({ kafka, schemas, log, onAnnouncement })
  announcements.finished.catch(failed)

  function failed(error: unknown): void {
    first.reject(error)
    health.fail(`following the registry ended: ${messageOf(error)}`)
    log.error({ err: error }, 'following the registry ended')
  }

  function onAnnouncement(key: string, { modelName, alias, event }: Announcement): void {
    const thread = threads[alias]
    if (thread === undefined || !modelName.startsWith(namePrefix)) return
    let standing = standings.get(key)
    if (standing === undefined) {
      standing = new Standing({
        key,
        claim: (event) => versions.claim(event, thread),
        onLoaded: (event, claim, tookMs) => take(key, event, claim, tookMs),
        onRefused: (event, refused) => refuse(key, event, refused.reason, refused.message),
        onRemoved: () => remove(key, modelName, alias),
        onFailed: failed,
        log,
      })
      standings.set(key, standing)
    }
    standing.offer(event)
  }

  function take(key: string, event: RegistryEvent, claim: Claim, tookMs: number): void {
    const { modelName, alias, modelVersion, epoch } = event
    const replaced = stands.get(key)
    const isChampion = alias === 'champion'
    const isSame = replaced?.claim.version === claim.version
    const id = `${modelName} ${modelVersion}`
    const now = Date.now()
    if (isChampion && replaced === undefined) proven.add(id)
    if (replaced?.guard?.stood(now)) proven.add(idOf(replaced.claim.version))
    const isWatched = isChampion && replaced !== undefined && !isSame && !proven.has(id)
    stands.set(key, {
      alias,
      claim,
      epoch,
      guard: isSame ? replaced.guard : isWatched ? new Guard(options.guard, now) : undefined,
      before: isChampion ? (isSame ? replaced.before : replaced?.claim) : undefined,
      sums: new ShadowSums(),
    })
    failpoint('mid-model-swap')
    renewSnapshot()
    if (replaced !== undefined) {
      if (!isChampion || isSame) replaced.claim.release()
      if (!isSame) replaced.before?.release()
    }
    tookMs = Math.round(tookMs)
    const { runner, whyNoForest, figures } = claim.version
    log.info(
      { modelName, alias, modelVersion, epoch, tookMs, runner, whyNoForest, figures },
      'version loaded',
    )
    reports.state(modelName, alias, {
      loadedVersion: modelVersion,
      loadedEpoch: epoch,
      loadedAt: now,
      verdictVersion: modelVersion,
      verdictEpoch: epoch,
      verdict: 'accepted',
      reason: '',
      detail: '',
      verdictAt: now,
      verdictFigures: toFigures(figures),
    })
    options.onSwap(key, { modelVersion, epoch, tookMs, loadedAt: now })
    if (key === fallbackKey) {
      health.ready(part)
      first.resolve()
    }
  }

  function refuse(key: string, event: RegistryEvent, reason: string, detail: string): void {
    const { modelName, alias, modelVersion, epoch } = event
    log.error({ modelName, alias, modelVersion, epoch, reason, detail }, 'version refused')
    // Under champion the old version goes on; another alias must not stand for what it does not name.
    const stays = alias === 'champion'
    if (!stays) drop(key)
    options.onRefused(key, reason)
    reports.state(modelName, alias, {
      ...(stays ? {} : nothingLoaded),
      verdictVersion: modelVersion,
      verdictEpoch: epoch,
      verdict: 'refused',
      reason,
      detail,
      verdictAt: Date.now(),
      verdictFigures: [],
    })
    if (key === fallbackKey && !stands.has(key)) {
      health.waitFor(part, `version ${modelVersion} of ${key} was refused: ${detail}`)
    }
  }

  function remove(key: string, modelName: string, alias: string): void {
    if (key === fallbackKey) {
      log.warn({ key }, 'the alias was removed; the loaded version goes on')
      return
    }
    log.info({ key }, 'the alias was removed')
    drop(key)
    reports.state(modelName, alias, nothingLoaded)
  }

  function drop(key: string): void {
    options.onRemoved(key)
    const stand = stands.get(key)
    if (stand === undefined) return
    stands.delete(key)
    renewSnapshot()
    stand.claim.release()
    stand.before?.release()
  }

  function takeSnapshot(): Snapshot {
    const champions = new Map<string, Champion>()
    const challengers = new Map<string, Challenger>()
    const claims: Claim[] = []
    for (const { alias, claim, epoch, guard, before, sums } of stands.values()) {
      const { version } = claim
      const watch = guard && before ? { guard, before: before.version } : undefined
      if (alias === 'champion') champions.set(version.modelName, { version, epoch, watch })
      else if (alias === 'challenger') challengers.set(version.modelName, { version, epoch, sums })
      claims.push(claim.share(), ...(before === undefined ? [] : [before.share()]))
    }
    const routing = {
      champions: { prefix: namePrefix, byName: champions },
      challengers: { prefix: namePrefix, byName: challengers },
    }
    return { routing, claims, users: 0, replaced: false }
  }

  function renewSnapshot(): void {
    const replaced = snapshot
    snapshot = takeSnapshot()
    replaced.replaced = true
    if (replaced.users === 0) releaseAll(replaced)
  }

  return {
    first: first.promise,
    async withCurrent(use) {
      const used = snapshot
      used.users++
      try {
        return await use(used.routing)
      } finally {
        used.users--
        if (used.replaced && used.users === 0) releaseAll(used)
      }
    },
    async caughtUp() {
      const newest = await announcements.newest()
      const settling: Promise<void>[] = []
      for (const [key, { modelName, alias, event }] of newest) {
        if (event === null || alias !== 'champion' || !modelName.startsWith(namePrefix)) continue
        onAnnouncement(key, { modelName, alias, event })
        settling.push((standings.get(key) as Standing).settledTo(event.epoch))
      }
      const timeout = new AbortController()
      const late = delay(catchUpWithinMs, 'late', { signal: timeout.signal }).catch(() => 'ended')
      if ((await Promise.race([Promise.all(settling), late])) === 'late') {
        log.warn('some champions are not loaded yet; what is loaded scores')
      }
      timeout.abort()
    },
    shadowFigures: (modelName) => stands.get(`${modelName}@challenger`)?.sums.figures() ?? [],
    breached({ version, epoch }, { reason, detail }) {
      const { modelName, modelVersion } = version
      log.error({ modelName, modelVersion, epoch, reason, detail }, 'the champion left its guard')
      options.onRefused(`${modelName}@champion`, reason)
      reports.state(modelName, 'champion', {
        verdictVersion: modelVersion,
        verdictEpoch: epoch,
        verdict: 'unhealthy',
        reason,
        detail,
        verdictAt: Date.now(),
      })
    },
    async stop() {
      await announcements.stop()
      await Promise.all([...standings.values()].map((standing) => standing.stop()))
    },
  }
}

const nothingLoaded = { loadedVersion: null, loadedEpoch: -1, loadedAt: null }

function releaseAll({ claims }: Snapshot): void {
  for (const claim of claims) claim.release()
}

const idOf = ({ modelName, modelVersion }: Version): string => `${modelName} ${modelVersion}`

const toFigures = (figures: GateFigures): Figure[] =>
  Object.entries(figures).map(([name, value]) => ({ name, value: value as number }))
