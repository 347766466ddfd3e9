// What do tests need of the scorer? Its parts, without a broker.
export { createS3Artifacts, ModelRefused, type ArtifactStore } from './artifact.ts'
export { bandOf } from './core/band.ts'
export { goldenRows, largestDifference, parseGolden, probabilityTolerance } from './core/golden.ts'
export { Projection, ProjectionProblem } from './core/projection.ts'
export { createEngine, type Engine } from './engine.ts'
export { createModels, type LoadedModel, type Models } from './models.ts'
export { createScoreEncoder, createScoreProcessor } from './processor.ts'
