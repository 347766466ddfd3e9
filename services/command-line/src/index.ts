// How do our commands read what people write, and write what people read?
export { parseDurationMs } from './duration.ts'
export { ageText, renderTable, type TableOptions } from './table.ts'
