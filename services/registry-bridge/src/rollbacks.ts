// What is done when live traffic finds the champion unhealthy?
import { messageOf, type Log } from '@churnstream/runtime'
import type { Announcer } from './announcer.ts'
import { aliases } from './contract.ts'
import type { Verdict } from './core/verdicts.ts'
import type { Mlflow } from './mlflow.ts'
import { MoveRefused, rollBack } from './moves.ts'

export interface RollbacksOptions {
  readonly mlflow: Mlflow
  readonly announcer: Pick<Announcer, 'newest' | 'reconcile'>
  readonly now: () => number
  /** done, or why not. */
  readonly onResult: (result: string) => void
  readonly log: Log
}

/**
 * Rolls back the version that the verdict is about, if it is still the champion that is announced.
 * Resolves to false when it could not be done for a reason that may pass.
 */
export function createRollbacks(options: RollbacksOptions): (verdict: Verdict) => Promise<boolean> {
  const { mlflow, announcer, log, onResult } = options
  /** Reasons said already, by model and epoch. */
  const said = new Map<string, string>()

  return async (verdict) => {
    const { modelName, modelVersion, epoch, reason, detail, replica } = verdict
    const announced = await announcer.newest(modelName, aliases.champion)
    // Another epoch is another promotion, of the same version perhaps: this verdict is not about it.
    if (announced?.modelVersion !== modelVersion || announced.epoch !== epoch) return true
    try {
      const { champion } = await rollBack(mlflow, modelName, {
        kind: 'automatic',
        reason: `${reason}: ${detail} (${replica})`,
        nowMs: options.now(),
        from: modelVersion,
      })
      onResult('done')
      log.warn({ modelName, from: modelVersion, to: champion, epoch, reason }, 'rolled back')
    } catch (error) {
      if (!(error instanceof MoveRefused)) throw error
      // Another bridge or a person was quicker, or we were, and Kafka was away then.
      if (error.reason !== 'moved-on') {
        if (said.get(modelName) !== `${epoch} ${error.reason}`) {
          said.set(modelName, `${epoch} ${error.reason}`)
          onResult(error.reason)
          log.error(
            { modelName, modelVersion, epoch, reason: messageOf(error) },
            'an unhealthy champion stays',
          )
        }
        return false
      }
    }
    await announcer.reconcile('rollback', modelName)
    return true
  }
}
