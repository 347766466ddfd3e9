// Why must a version not serve?

/** About this version, not about the world: nothing that serves changes, and asking again is useless. */
export class ModelRefused extends Error {
  override name = 'ModelRefused'
  /** A slug, fit for a metric label. */
  readonly reason: string
  constructor(reason: string, detail: string, options?: { cause?: unknown }) {
    super(detail, options)
    this.reason = reason
  }
}
