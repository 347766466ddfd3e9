// Do the same records give the same vectors, labels, state and scores as ever, byte for byte?
import type { ConsumedRecord } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { expectedFile, inputFile, modelFolder } from './files.ts'
import { digestsOf, readRecording } from './recording.ts'
import { replay } from './replay.ts'

const recording = readRecording(inputFile, topics.playerActivity.name)
const expected = new Map(
  Object.entries(JSON.parse(readFileSync(expectedFile, 'utf8')) as Record<string, string>),
)

// Scores are sums of float32 in the order of the trees. Recorded on x64 with the pinned release of
// onnxruntime: should another processor round otherwise, churn-scores alone differs.
//
// All in one send, or a handful of records: what a batch holds must change no byte.
for (const [recordsPerSend, isFused] of [
  [5_000, false],
  [7, false],
  [5_000, true],
  [7, true],
] as const) {
  const how = `${isFused ? 'fused, ' : ''}in sends of ${recordsPerSend} records`
  test(`golden replay - ${how} the bytes are as recorded`, async () => {
    const replayed = await replay(recording, modelFolder, { recordsPerSend, isFused })
    for (const [topic, logs] of replayed) assertGolden(topic, logs)
  })
}

function assertGolden(topic: string, logs: readonly (readonly ConsumedRecord[])[]): void {
  const found = new Map(logs.flatMap((records, partition) => digestsOf(topic, partition, records)))
  const wanted = [...expected].filter(([place]) => place.startsWith(`${topic}-`))
  assert.ok(wanted.length > 0, `nothing was recorded of ${topic}`)
  const places = new Set([...wanted.map(([place]) => place), ...found.keys()])
  const differing = [...places].filter((place) => found.get(place) !== expected.get(place))
  const [first] = differing
  assert.ok(
    first === undefined,
    `${differing.length} of ${places.size} parts of ${topic} differ, the first is ${first}. If the ` +
      'change is meant, run node services/end-to-end/golden/record.ts and say in the commit what ' +
      'changes for those who read this topic.',
  )
}
