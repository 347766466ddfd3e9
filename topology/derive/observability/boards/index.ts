// Which boards are there?
import type { Board } from '../board.ts'
import { driftBoard } from './drift.ts'
import { modelBoard } from './model.ts'
import { operationsBoard } from './operations.ts'
import { pipelineBoard } from './pipeline.ts'

export const boards: readonly Board[] = [
  pipelineBoard,
  modelBoard,
  driftBoard,
  operationsBoard,
]
