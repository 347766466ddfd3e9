// Which files of schemas/ are derived, and what do they hold?
import { readFileSync } from 'node:fs'
import { recordNames, type RecordName } from '../src/records.ts'
import { featureVectorSchema } from './feature-vector.ts'
import { toTypes } from './types.ts'

const folder = new URL('../', import.meta.url)

/** Path below the repository → content. */
export function deriveSchemas(): Map<string, string> {
  const vector = featureVectorSchema()
  const schemas = recordNames.map((name: RecordName) =>
    name === 'feature-vector'
      ? vector
      : (JSON.parse(readFileSync(new URL(`avro/${name}.avsc`, folder), 'utf8')) as object),
  )
  return new Map([
    ['schemas/avro/feature-vector.avsc', `${JSON.stringify(vector, null, 2)}\n`],
    ['schemas/src/types.ts', toTypes(schemas)],
  ])
}
