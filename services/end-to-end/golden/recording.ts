// How is a recorded topic read and written? A line of JSON each, the first with its schema.
import type { ConsumedRecord, OutgoingRecord } from '@churnstream/runtime'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'

/** Bytes as a producer wrote them, and the schema that it wrote them with. */
export interface Recording {
  readonly schemaId: number
  /** Avro, as JSON text. */
  readonly schema: string
  readonly records: readonly OutgoingRecord[]
}

interface Line {
  readonly partition: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: string
}

export function readRecording(file: string, topic: string): Recording {
  const [head = '', ...lines] = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n')
  const { schemaId, schema } = JSON.parse(head) as { schemaId: number; schema: object }
  const records = lines.map((line): OutgoingRecord => {
    const { partition, timestampMs, key, value } = JSON.parse(line) as Line
    return { topic, partition, timestampMs, key, value: Buffer.from(value, 'base64') }
  })
  return { schemaId, schema: JSON.stringify(schema), records }
}

export function writeRecording(file: string, { schemaId, schema, records }: Recording): void {
  const lines = records.map(({ partition, timestampMs, key, value }) => ({
    partition,
    timestampMs,
    key: key === null ? null : String(key),
    value: (value ?? Buffer.alloc(0)).toString('base64'),
  }))
  const head = { schemaId, schema: JSON.parse(schema) as object }
  const text = [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('')
  writeFileSync(file, gzipSync(text, { level: 9 }))
}

const recordsPerDigest = 50

/** Of keys and values, by topic-partition@from..to, so that a difference has a place. */
export function digestsOf(
  topic: string,
  partition: number,
  records: readonly ConsumedRecord[],
): [string, string][] {
  const digests: [string, string][] = []
  for (let from = 0; from < records.length; from += recordsPerDigest) {
    const part = records.slice(from, from + recordsPerDigest)
    const hash = createHash('sha256')
    for (const bytes of part.flatMap(({ key, value }) => [key, value])) {
      hash.update(`${bytes === null ? -1 : bytes.length} `)
      if (bytes !== null) hash.update(bytes)
    }
    const place = `${topic}-${partition}@${from}..${from + part.length - 1}`
    digests.push([place, hash.digest('hex')])
  }
  return digests
}
