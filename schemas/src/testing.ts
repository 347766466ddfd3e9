// What does a test know of schemas without a registry?
import { DecodeProblem, schemaIdOf, typeOf, type RecordDecoder } from './codec.ts'
import { schemaText, type RecordName } from './records.ts'
import type { Schemas } from './registry.ts'

/** A registry that knows these schemas by id, as Avro text or by our record's name, and no other. */
export function fixedSchemas(
  known: Readonly<Record<number, RecordName | { readonly text: string }>>,
): Pick<Schemas, 'prepare'> {
  return {
    async prepare(decoder: RecordDecoder<unknown>, values: Iterable<Buffer | null>) {
      for (const value of values) {
        const id = schemaIdOf(value)
        if (id instanceof DecodeProblem || decoder.knows(id)) continue
        const found = known[id]
        if (found === undefined) {
          decoder.learn(id, new DecodeProblem('unknown-schema-id', `no schema ${id}`))
        } else {
          decoder.learn(id, typeOf(typeof found === 'string' ? schemaText(found) : found.text))
        }
      }
    },
  }
}
