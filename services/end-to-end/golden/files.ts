// Where is what was recorded?
import { fileURLToPath } from 'node:url'

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export const inputFile = fileOf('activity.jsonl.gz')
export const expectedFile = fileOf('expected.json')
export const modelFolder = fileOf('model')
