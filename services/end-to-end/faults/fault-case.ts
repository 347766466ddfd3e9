// What is a fault?
import type { Lab, LabKind } from './lab.ts'

export interface FaultCase {
  readonly name: string
  /** Usual unless told. */
  readonly lab?: LabKind
  /** A service is killed: the pause is that of taking over. */
  readonly isServiceKill?: boolean
  /** Part of the short run. */
  readonly isShort?: boolean
  /** Makes it happen and mends it; resolves to how often it struck. */
  run(lab: Lab): Promise<number>
}

/** Events that must come while a fault lasts, or it struck an idle pipeline. */
export const someEvents = 400
export const outageMs = 4_000
/** Past the session timeout. */
export const zombieMs = 9_000
