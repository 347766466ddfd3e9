// May a version score the stream, and how is the answer shown?
import type { Contract } from '@churnstream/schemas/model'
import { renderTable } from '@churnstream/command-line'

export interface Gate {
  readonly modelName: string
  readonly modelVersion: string
  readonly contract: Contract
}

export const isPassed = ({ contract }: Gate): boolean => contract.problems.length === 0

/** What stands in MLflow: `passed`, or `refused: <codes>`. */
export function gateTag(gate: Gate): string {
  if (isPassed(gate)) return 'passed'
  const codes = new Set(gate.contract.problems.map(({ code }) => code))
  return `refused: ${[...codes].join(', ')}`
}

/** One sentence, and below it every problem. */
export function gateText(gate: Gate): string {
  const { modelName, modelVersion, contract } = gate
  const version = `version ${modelVersion} of ${modelName}`
  if (isPassed(gate)) {
    return `${version} can serve the stream: the catalogue fills its ${contract.columns.length} columns`
  }
  const problems = contract.problems.map(({ code, detail }) => `  ${code}: ${detail}`)
  const areOnlyColumns = contract.problems.every(({ code }) => code === 'columns-not-in-catalogue')
  const rest = areOnlyColumns ? '; npm run score takes rows with its columns' : ''
  return `${version} cannot serve the stream${rest}\n${problems.join('\n')}`
}

/** Column by column. */
export function gateTable({ contract }: Gate): string {
  const rows = contract.rows.map((row) => [
    String(row.index),
    row.column,
    row.source,
    row.signatureType,
    row.required === undefined ? '–' : row.required ? 'yes' : 'no',
    row.vectorType,
    row.problem?.code ?? 'ok',
  ])
  const header = ['#', 'column', 'filled by', 'signature', 'required', 'vector', 'verdict']
  return renderTable(header, rows)
}

export function gateJson(gate: Gate): object {
  const { modelName, modelVersion, contract } = gate
  return {
    modelName,
    modelVersion,
    gate: gateTag(gate),
    columns: contract.rows.map(({ problem, ...row }) => ({
      ...row,
      problem: problem?.code ?? null,
    })),
    problems: contract.problems.map(({ code, detail, column }) => ({
      code,
      detail,
      column: column ?? null,
    })),
  }
}
