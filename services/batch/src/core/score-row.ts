// What does one scored row say, and as which columns is it written?

/** How a value stands in a file: instants are milliseconds since 1970 in memory. */
export type CellType = 'text' | 'double' | 'integer' | 'instant'
export interface OutputColumn {
  readonly name: string
  readonly type: CellType
}
export type OutputValue = string | number | null
/** In the order of its columns. */
export type OutputRow = readonly OutputValue[]

export interface ScoreRow {
  readonly playerId: string | null
  /** Milliseconds since 1970. */
  readonly asOf: number | null
  readonly market: string | null
  /** Probability of churn. */
  readonly score: number
  readonly band: string
  readonly modelName: string
  readonly modelVersion: string
  /** The file that the row came from. */
  readonly source: string
  /** From 0 in its file. */
  readonly row: number
}

const fields: readonly {
  readonly column: OutputColumn
  readonly of: (row: ScoreRow) => OutputValue
}[] = [
  { column: { name: 'player_id', type: 'text' }, of: ({ playerId }) => playerId },
  { column: { name: 'as_of', type: 'instant' }, of: ({ asOf }) => asOf },
  { column: { name: 'market', type: 'text' }, of: ({ market }) => market },
  { column: { name: 'score', type: 'double' }, of: ({ score }) => score },
  { column: { name: 'band', type: 'text' }, of: ({ band }) => band },
  { column: { name: 'model_name', type: 'text' }, of: ({ modelName }) => modelName },
  { column: { name: 'model_version', type: 'text' }, of: ({ modelVersion }) => modelVersion },
  { column: { name: 'source', type: 'text' }, of: ({ source }) => source },
  { column: { name: 'row', type: 'integer' }, of: ({ row }) => row },
]

export const scoreColumns: readonly OutputColumn[] = fields.map(({ column }) => column)

export const toOutputRow = (row: ScoreRow): OutputRow => fields.map(({ of }) => of(row))

/** What toOutputRow gave, as a file of scores gives it back. */
export function toScoreRow(row: OutputRow): ScoreRow {
  const [playerId, asOf, market, score, band, modelName, modelVersion, source, number] = row
  return {
    playerId: (playerId ?? null) as string | null,
    asOf: (asOf ?? null) as number | null,
    market: (market ?? null) as string | null,
    score: score as number,
    band: band as string,
    modelName: modelName as string,
    modelVersion: modelVersion as string,
    source: source as string,
    row: number as number,
  }
}
