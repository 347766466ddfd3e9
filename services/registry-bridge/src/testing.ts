// What does a test of moves need without a server?
export { awayAt, MemoryMlflow } from './memory-mlflow.ts'
