// What does replaying need of the scorer? All but its main.
export type { ArtifactStore } from './artifact.ts'
export { createEngine } from './engine.ts'
export { createGates } from './gates.ts'
export { createModels } from './models.ts'
export { createScoreProcessor } from './processor.ts'
export { createReports } from './reports.ts'
export { createTrial } from './trial.ts'
export { createVersions } from './versions.ts'
