// Under which names do aliases and tags stand in MLflow?

/** Registered models are `churn-<market>`, and churn-default for all other markets. */
export const modelNamePrefix = 'churn-'

export const aliases = {
  champion: 'champion',
  challenger: 'challenger',
  previous: 'previous',
} as const

/** Tags of a model version. */
export const versionTags = {
  /** accepted, refused or unhealthy. */
  verdict: 'churnstream.verdict',
  /** A slug, empty when accepted. */
  verdictReason: 'churnstream.verdict_reason',
  verdictDetail: 'churnstream.verdict_detail',
  /** ISO 8601. */
  verdictAt: 'churnstream.verdict_at',
  /** `<replica> <scorerVersion>`. */
  verdictBy: 'churnstream.verdict_by',
  /** JSON object of numbers. */
  verdictFigures: 'churnstream.verdict_figures',
  /** `<ISO 8601> automatic|manual: <reason>`. */
  rolledBack: 'churnstream.rolled_back',
  /** JSON object of figures of a challenger. */
  shadow: 'churnstream.shadow',
  /** `passed`, or `refused: <codes>`. */
  gate: 'churnstream.gate',
} as const

/** Tags of a registered model. */
export const modelTags = {
  /** The version that must stay champion. */
  pinned: 'churnstream.pinned',
} as const

/** MLflow takes longer tags, and nobody reads them. */
export const maxDetailLength = 1_000
