// node services/end-to-end/golden/record.ts [--input]: what should a replay give from now on?
//
// For a change that is meant: it writes expected.json anew, and with --input the recorded activity
// too. model/ is the folder of a version, as MLflow holds it; put another one there to change it.
import { simulate } from '@churnstream/simulator'
import { clockRecords } from '@churnstream/ingestion'
import { partitionOf, type OutgoingRecord } from '@churnstream/runtime'
import { Encoder, schemaText } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { writeFileSync } from 'node:fs'
import { expectedFile, inputFile, modelFolder } from './files.ts'
import { digestsOf, readRecording, writeRecording, type Recording } from './recording.ts'
import { replay } from './replay.ts'

const { name: topic, partitions } = topics.playerActivity
const dayMs = 86_400_000

if (process.argv.includes('--input')) writeRecording(inputFile, recordInput())
const replayed = await replay(readRecording(inputFile, topic), modelFolder, { recordsPerSend: 500 })
const digests = [...replayed].flatMap(([name, logs]) =>
  logs.flatMap((records, partition) => digestsOf(name, partition, records)),
)
writeFileSync(expectedFile, `${JSON.stringify(Object.fromEntries(digests), null, 2)}\n`)
for (const [name, logs] of replayed) {
  console.log(`${name}: ${logs.reduce((sum, records) => sum + records.length, 0)} records`)
}

/** Fifty days of a few players, every tenth event again, some of them late, and poison. */
function recordInput(): Recording {
  const schemaId = 1
  const encoder = new Encoder('player-activity', schemaId)
  const startAt = Date.UTC(2026, 0, 1)
  const steps = simulate({
    seed: 11,
    players: 30,
    startAt,
    endAt: startAt + 50 * dayMs,
    signUpDays: 20,
    clockEveryMs: dayMs,
  })
  const records: OutgoingRecord[] = []
  const held: OutgoingRecord[] = []
  let count = 0
  for (const step of steps) {
    const timestampMs = step.deliverAt
    if (!('event' in step)) {
      for (const record of clockRecords(encoder, step.clockAt))
        records.push({ ...record, timestampMs })
      continue
    }
    const { event } = step
    const partition = partitionOf(event.playerId, partitions)
    const value = encoder.encode(event)
    const record = { topic, partition, key: event.playerId, value, timestampMs }
    count++
    if (count % 10 === 0) records.push(record)
    // Comes a hundred events later, and so late by event time.
    if (count % 25 === 0) held.push(record)
    else records.push(record)
    if (held.length > 4) records.push(held.shift() as OutgoingRecord)
    if (count % 200 === 0) {
      records.push({ ...record, value: Buffer.from('poison') })
      records.push({ ...record, value: value.subarray(0, value.length - 3) })
      records.push({ ...record, value: encoder.encode({ ...event, market: '' }) })
    }
  }
  return { schemaId, schema: schemaText('player-activity'), records: [...records, ...held] }
}
