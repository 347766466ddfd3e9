// What do tests need that stand in for MLflow?
export { awayAt, MemoryMlflow } from './memory-mlflow.ts'
export { sign } from './signature.ts'
