// What do the other commands need of replaying?
export { trainingSetHeader } from './core/labels.ts'
export { type Step } from './core/step.ts'
export { buildTrainingSet, type TrainingSet, type TrainingSetOptions } from './training-set.ts'
