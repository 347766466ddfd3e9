// What must a model's folder say before it may score vectors? The door to the model's contract.
export { parseColumns, type Column } from './columns.ts'
export { checkContract, type ColumnCheck, type Contract, type ContractParts } from './contract.ts'
export { fillingOf, type Filling } from './filling.ts'
export {
  allowedDomains,
  allowedOperators,
  describeOnnx,
  type OnnxDescription,
  type OnnxValue,
} from './onnx.ts'
export { ContractProblem, type ContractCode } from './problem.ts'
export { parseSignature, type Signature, type SignatureColumn } from './signature.ts'
export { Projection, VectorDecoder, VectorLayout, type VectorView } from './vector.ts'
