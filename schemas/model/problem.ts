// Why can a model's folder not serve vectors?

export type ContractCode =
  | 'columns-unreadable'
  | 'duplicate-column'
  | 'columns-not-in-catalogue'
  | 'signature-missing'
  | 'signature-unreadable'
  | 'missing-column'
  | 'extra-column'
  | 'renamed-column'
  | 'wrong-order'
  | 'wrong-type'
  | 'null-in-integer'
  | 'wrong-width'
  | 'onnx-unreadable'
  | 'operator-not-allowed'
  | 'external-data'
  | 'wrong-input'
  | 'wrong-output'

/** One thing that does not fit, and which column it is about. */
export class ContractProblem {
  readonly code: ContractCode
  readonly detail: string
  readonly column: string | undefined
  constructor(code: ContractCode, detail: string, column?: string) {
    this.code = code
    this.detail = detail
    this.column = column
  }
}
