// Does what a replica has loaded reach load-reports, also after the broker was away?
import { DecodeProblem, Decoder, Encoder, schemaText, typeOf } from '@churnstream/schemas'
import { TransientError, type ConsumedRecord, type Kafka } from '@churnstream/runtime'
import { MemoryCluster, readAll, until } from '@churnstream/runtime/testing'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReports } from './reports.ts'
import { log } from './testing.ts'

const decoder = new Decoder('load-report')
decoder.learn(1, typeOf(schemaText('load-report')))
const topic = topics.loadReports.name

async function open(change: (kafka: Kafka) => Kafka = (kafka) => kafka, intervalMs = 60_000) {
  const kafka = new MemoryCluster().open()
  await kafka.ensureTopics([{ name: topic, partitions: 1, config: {} }])
  const reports = createReports({
    kafka: change(kafka),
    encoder: new Encoder('load-report', 1),
    replica: 'here:1',
    scorerVersion: '0.1.0',
    intervalMs,
    shadowFigures: () => [{ name: 'rows', value: 3 }],
    log,
  })
  return { reports, read: () => readAll(kafka, topic, 0) }
}

function newestOf(records: readonly ConsumedRecord[], key: string) {
  const newest = records.findLast((record) => record.key?.toString() === key)
  const report = newest?.value ? decoder.decode(newest.value) : undefined
  assert.ok(!(report instanceof DecodeProblem))
  return { record: newest, report }
}

test('createReports - a state is sent when it changes, merged with what was said before', async () => {
  const { reports, read } = await open()
  reports.state('churn-gb', 'challenger', { loadedVersion: '4', loadedEpoch: 2 })
  reports.state('churn-gb', 'challenger', { verdict: 'refused', reason: 'too-slow' })
  await until('it is there', async () => {
    const { report } = newestOf(await read(), 'churn-gb@challenger#here:1')
    return report?.reason === 'too-slow'
  })
  const { report } = newestOf(await read(), 'churn-gb@challenger#here:1')
  assert.deepEqual([report?.loadedVersion, report?.verdict], ['4', 'refused'])
  assert.deepEqual(report?.shadowFigures.length, 1)
  await reports.stop()
})

test('createReports - each interval says again that the replica lives', async () => {
  const { reports, read } = await open(undefined, 5)
  reports.state('churn-gb', 'champion', { loadedVersion: '4' })
  await until('it was said three times', async () => (await read()).length >= 3)
  await reports.stop()
})

test('createReports - what could not be sent is sent later', async () => {
  let away = true
  const { reports, read } = await open((kafka) => ({
    ...kafka,
    async openProducer() {
      if (away) throw new TransientError('the broker is away')
      return kafka.openProducer()
    },
  }))
  reports.state('churn-gb', 'champion', { loadedVersion: '4' })
  away = false
  await until('it is there', async () => (await read()).length > 0)
  await reports.stop()
})

test('createReports - a replica that stops takes its reports with it', async () => {
  const { reports, read } = await open()
  reports.state('churn-gb', 'champion', { loadedVersion: '4' })
  await reports.stop()
  assert.equal(newestOf(await read(), 'churn-gb@champion#here:1').record?.value, null)
})
