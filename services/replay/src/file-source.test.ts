// Do files of events, whatever their order, become what the stream would have been?
import { FatalError, partitionOf } from '@churnstream/runtime'
import { activity, at, bet, histories } from '@churnstream/features/testing'
import { clockKind, type PlayerActivity } from '@churnstream/schemas'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { hourMs } from './core/hours.ts'
import { openFileSource, type EventFile, type RejectedLine } from './file-source.ts'
import type { Source } from './source.ts'

const partitions = 8

const fileOf = (source: string, text: string | Buffer): EventFile => ({
  source,
  isGzipped: source.endsWith('.gz'),
  async *open() {
    yield Buffer.from(text)
  },
})
const linesOf = (events: readonly object[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join('')

function open(
  files: readonly EventFile[],
  rest: Partial<Parameters<typeof openFileSource>[0]> = {},
) {
  return openFileSource({
    location: 'events',
    files,
    untilAt: at(1_000),
    sha256: 'of-all-files',
    maxRejectedShare: 1,
    onRejected: async () => undefined,
    onProgress: () => undefined,
    ...rest,
  })
}

async function inputsOf(source: Source, partition: number): Promise<PlayerActivity[]> {
  const inputs: PlayerActivity[] = []
  for await (const steps of source.read(partition)) {
    for (const { offset, input } of steps) {
      assert.equal(offset, inputs.length)
      assert.ok('kind' in input)
      inputs.push(input)
    }
  }
  return inputs
}

/** Plainly: all sorted, and before each event the hours that have passed. */
function expectedInputs(
  events: readonly PlayerActivity[],
  partition: number,
  untilAt: number,
): string[] {
  const within = events.filter(({ occurredAt }) => occurredAt < untilAt)
  const firstAt = Math.min(...within.map(({ occurredAt }) => occurredAt))
  const hours: string[] = []
  for (let hour = Math.floor(firstAt / hourMs) + 1; hour * hourMs < untilAt; hour++) {
    hours.push(`${String(hour * hourMs).padStart(15)} 1 clock-${hour * hourMs}`)
  }
  return within
    .filter(({ playerId }) => partitionOf(playerId, partitions) === partition)
    .map(({ occurredAt, eventId }) => `${String(occurredAt).padStart(15)} 0 ${eventId}`)
    .concat(hours)
    .sort()
}

test('openFileSource - sorted by time with a clock record each hour, in whatever order events come', async () => {
  await fc.assert(
    fc.asyncProperty(histories(60), fc.array(fc.nat(5)), fc.nat(40), async (inputs, into, days) => {
      const events = inputs.filter(({ kind }) => kind !== clockKind)
      const parts: PlayerActivity[][] = [[], [], [], [], [], []]
      for (const [index, event] of events.entries()) parts[into[index] ?? 0]?.push(event)
      const untilAt = at(40 + days)
      if (!events.some(({ occurredAt }) => occurredAt < untilAt)) return
      const files = parts.map((part, index) =>
        index % 2 === 0
          ? fileOf(`${index}.jsonl`, linesOf(part))
          : fileOf(`${index}.jsonl.gz`, gzipSync(linesOf(part))),
      )
      await using source = await open(files, { untilAt })
      const before = events.filter(({ occurredAt }) => occurredAt < untilAt)
      assert.equal(source.left.after, events.length - before.length)
      for (let partition = 0; partition < partitions; partition++) {
        const found = (await inputsOf(source, partition)).map(
          ({ occurredAt, kind, eventId }) =>
            `${String(occurredAt).padStart(15)} ${kind === clockKind ? 1 : 0} ${eventId}`,
        )
        assert.deepEqual(found, expectedInputs(events, partition, untilAt))
      }
    }),
    { seed: 20_260_304, numRuns: 40 },
  )
})

test('openFileSource - an event comes back with every field as it was', async () => {
  const events = [
    bet(1, { playerId: 'Åsa', inPlay: true, stake: 0.1, odds: 1.91, product: null }),
    activity('bet_settled', 2, {
      playerId: 'Åsa',
      payout: 3.33,
      acquisitionSource: 'paid, social',
    }),
  ]
  await using source = await open([fileOf('a.jsonl', linesOf(events))], { untilAt: at(3) })
  const inputs = await inputsOf(source, partitionOf('Åsa', partitions))
  assert.deepEqual(
    inputs.filter(({ kind }) => kind !== clockKind).map((input) => ({ ...input })),
    events,
  )
})

test('openFileSource - a line that ingestion would refuse is told with its place and the reason', async () => {
  const good = bet(1)
  const bad: [string, string][] = [
    ['{"eventId": ', 'malformed-json'],
    ['[]', 'not-an-object'],
    [JSON.stringify({ ...good, kind: 'bet_dreamt' }), 'unknown-kind'],
    [JSON.stringify({ ...good, kind: clockKind }), 'clock-kind'],
    [JSON.stringify({ ...good, stake: -1 }), 'stake-negative'],
    [JSON.stringify({ ...good, playerId: undefined }), 'missing-player-id'],
    [JSON.stringify({ ...good, shoeSize: 43 }), 'unknown-field'],
    ['x'.repeat(2 << 20), 'line-too-long'],
  ]
  const text = [JSON.stringify(good), ...bad.map(([line]) => line), ''].join('\n')
  const rejected: RejectedLine[] = []
  await using source = await open([fileOf('a.jsonl', text)], {
    onRejected: async (lines) => void rejected.push(...lines),
  })
  assert.deepEqual(
    rejected.map(({ source: name, row, reason }) => [name, row, reason]),
    bad.map(([, reason], index) => ['a.jsonl', index + 1, reason]),
  )
  assert.ok(rejected.every(({ values }) => values.length <= 1_000))
  assert.deepEqual(source.left.rejected, Object.fromEntries(bad.map(([, reason]) => [reason, 1])))
})

test('openFileSource - bytes that are no UTF-8 are no event', async () => {
  const line = Buffer.from(JSON.stringify(bet(1, { playerId: 'p?' })))
  line[line.indexOf('?')] = 0xff
  const files = [fileOf('a.jsonl', Buffer.concat([line, Buffer.from(`\n${linesOf([bet(2)])}`)]))]
  await using source = await open(files)
  assert.deepEqual(source.left.rejected, { 'malformed-json': 1 })
})

test('openFileSource - too many bad lines, no event at all, and a torn file end the replay', async () => {
  const halfBad = fileOf('a.jsonl', `${linesOf([bet(1)])}nothing\n`)
  await assert.rejects(open([halfBad], { maxRejectedShare: 0.4 }), /1 of 2 lines.*malformed-json/)
  await using enough = await open([halfBad], { maxRejectedShare: 0.5 })
  assert.deepEqual(enough.left.rejected, { 'malformed-json': 1 })
  await assert.rejects(
    open([fileOf('a.jsonl', linesOf([bet(5)]))], { untilAt: at(5) }),
    /1 later events/,
  )
  const whole = gzipSync(linesOf(Array.from({ length: 5_000 }, (_, i) => bet(i / 100))))
  const torn = fileOf('b.jsonl.gz', whole.subarray(0, whole.length - 100))
  await assert.rejects(open([torn]), (error) => {
    return error instanceof FatalError && /b\.jsonl\.gz is no whole gzip file/.test(error.message)
  })
  await assert.rejects(
    open([fileOf('c.jsonl.gz', 'no gzip')]),
    /c\.jsonl\.gz is no whole gzip file/,
  )
})
