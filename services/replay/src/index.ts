// What do the other commands need of replaying?
export { backfill, type Backfilled, type BackfillOptions } from './backfill.ts'
export { trainingSetHeader } from './core/labels.ts'
export { erasedUntil, readConfirmations, type Confirmed } from './erasures.ts'
export type { Plan } from './core/plan.ts'
export type { Step } from './core/step.ts'
export { noteTopic, openTopicSource } from './topic-source.ts'
export { beginInTopic, openTopicTarget, replayHeaders } from './topic-target.ts'
export { buildTrainingSet, type TrainingSet, type TrainingSetOptions } from './training-set.ts'
