// What do other commands need to score whole batches as this one does?
export {
  batchIdOf,
  loadBatch,
  prepareBatches,
  publishBatch,
  type Batch,
  type BatchIdentity,
  type Loaded,
  type Published,
} from './batches.ts'
export {
  scoreColumns,
  toOutputRow,
  toScoreRow,
  type CellType,
  type OutputColumn,
  type OutputRow,
  type OutputValue,
  type ScoreRow,
} from './core/score-row.ts'
export { runCommand, type CommandWorld } from './command.ts'
export { UsageError, exitCodeOf, exitCodes, textOf, type ExitCode } from './exit.ts'
export { openInputs, type InputFile, type Inputs } from './inputs.ts'
export { attemptFile, openDraft, openScratch, sha256Of, type Draft, type Scratch } from './files.ts'
export { openInstallation, type Installation } from './installation.ts'
export { openPinnedVectorModel, type PinnedVectorModel } from './model.ts'
export { createObjects, type ObjectVersion, type Objects } from './objects.ts'
export {
  openPipes,
  type Pipes,
  type PipesContext,
  type PipesLevel,
  type PipesMetadata,
  type PipesMetadataValue,
} from './pipes.ts'
export { readScores } from './read-parquet.ts'
export type { RowBatch, Rows, Wanted } from './row-batch.ts'
export { openRows } from './rows.ts'
export { scoreSource, type ScoreOptions, type ScoreTarget } from './score.ts'
export type { Summary } from './core/summary.ts'
export {
  checkTarget,
  openRowWriter,
  openScoreWriter,
  type RowWriter,
  type Written,
} from './write-rows.ts'
