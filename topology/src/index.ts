// Where do records live, and who reads and writes them? The one door to topology/.
export * from './topics.ts'
export * from './services.ts'
export * from './cluster.ts'
export * from './identities.ts'
export * from './access.ts'
export * from './placements.ts'
export * from './metrics/index.ts'
export * from './warehouse.ts'
