// Does Dagster get the messages that it understands?
import { FatalError, TransientError } from '@churnstream/runtime'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { openPipes, type Pipes } from './pipes.ts'
import { scratchOf, write } from './testing.ts'

const encode = (value: unknown): string =>
  deflateSync(Buffer.from(JSON.stringify(value))).toString('base64')

const context = {
  run_id: 'run-1',
  retry_number: 0,
  extras: { week: '2026-11-16' },
  asset_keys: ['weekly_scores'],
  job_name: null,
  partition_key: '2026-11-16|us-nj',
}

/** As Dagster 1.13's protocol has them. */
const recorded = readFileSync(new URL('../test/pipes-messages.jsonl', import.meta.url), 'utf8')

function tellAll(pipes: Pipes): void {
  pipes.log('scored 7 rows')
  pipes.log('one was rejected', 'WARNING')
  pipes.reportAssetMaterialization({
    metadata: {
      rows: 7,
      mean: 0.25,
      target: 's3://b/scores.parquet',
      isWhole: true,
      previous: null,
      rejects: { raw_value: { 'not-a-number': 1 }, type: 'json' },
    },
    dataVersion: 'abc',
  })
  pipes.reportAssetCheck({
    checkName: 'counts',
    passed: false,
    severity: 'WARN',
    metadata: { missing: 1 },
  })
  pipes.reportCustomMessage({ score: { rowsIn: 8 } })
}

test('openPipes - the messages are those that were recorded', (t) => {
  const folder = scratchOf(t)
  const contextFile = write(folder, 'context.json', JSON.stringify(context))
  const path = join(folder, 'messages')
  const pipes = openPipes({
    DAGSTER_PIPES_CONTEXT: encode({ path: contextFile }),
    DAGSTER_PIPES_MESSAGES: encode({ path, include_stdio_in_messages: true }),
  })
  assert.equal(pipes.context?.partition_key, '2026-11-16|us-nj')
  assert.deepEqual(pipes.context?.extras, { week: '2026-11-16' })
  tellAll(pipes)
  pipes.close()
  assert.equal(readFileSync(path, 'utf8'), recorded)
})

test('openPipes - to an output, at once or at the end', () => {
  for (const channel of [{ stdio: 'stderr' }, { buffered_stdio: 'stderr' }]) {
    const written: string[] = []
    const nothing = { write: () => assert.fail('nothing goes to stdout') }
    const pipes = openPipes(
      {
        DAGSTER_PIPES_CONTEXT: encode({ data: context }),
        DAGSTER_PIPES_MESSAGES: encode(channel),
      },
      { stdout: nothing, stderr: { write: (text) => void written.push(text) } },
    )
    assert.equal(written.length, 'stdio' in channel ? 1 : 0)
    tellAll(pipes)
    pipes.close()
    assert.equal(written.join(''), recorded)
  }
})

test('openPipes - an error closes with what it was and what caused it', () => {
  const written: string[] = []
  const output = { write: (text: string) => void written.push(text) }
  const pipes = openPipes(
    {
      DAGSTER_PIPES_CONTEXT: encode({ data: context }),
      DAGSTER_PIPES_MESSAGES: encode({ stdio: 'stdout' }),
    },
    { stdout: output, stderr: output },
  )
  pipes.close(new TransientError('reading s3://b/x', { cause: new Error('ECONNREFUSED') }))
  pipes.close()
  assert.equal(written.length, 2)
  const { method, params } = JSON.parse(written[1] ?? '') as {
    method: string
    params: { exception: Record<string, unknown> }
  }
  assert.equal(method, 'closed')
  const { stack, cause, ...rest } = params.exception
  assert.deepEqual(rest, { message: 'reading s3://b/x', name: 'TransientError', context: null })
  assert.ok(Array.isArray(stack) && stack.length > 0)
  assert.equal((cause as Record<string, unknown>)['message'], 'ECONNREFUSED')
  assert.throws(() => pipes.log('too late'), /log after close/)
})

test('openPipes - one report for each asset, which must be named when there are several', () => {
  const output = { write: () => undefined }
  const open = (asset_keys: string[]) =>
    openPipes(
      {
        DAGSTER_PIPES_CONTEXT: encode({ data: { ...context, asset_keys } }),
        DAGSTER_PIPES_MESSAGES: encode({ stdio: 'stdout' }),
      },
      { stdout: output, stderr: output },
    )
  const several = open(['a', 'b'])
  assert.throws(() => several.reportAssetMaterialization({}), /which of the run's 2 assets/)
  several.reportAssetMaterialization({ assetKey: 'a' })
  several.reportAssetMaterialization({ assetKey: 'b' })
  assert.throws(() => several.reportAssetMaterialization({ assetKey: 'a' }), /a was materialized/)
})

test('openPipes - without Dagster it does nothing', () => {
  const pipes = openPipes({})
  assert.equal(pipes.context, undefined)
  tellAll(pipes)
  pipes.close(new Error('x'))
})

test('openPipes - what it does not understand is said', () => {
  const good = encode({ data: context })
  const cases: [Record<string, string>, RegExp][] = [
    [{ DAGSTER_PIPES_CONTEXT: good }, /DAGSTER_PIPES_MESSAGES is not/],
    [{ DAGSTER_PIPES_CONTEXT: 'x', DAGSTER_PIPES_MESSAGES: good }, /not what Dagster writes/],
    [
      { DAGSTER_PIPES_CONTEXT: good, DAGSTER_PIPES_MESSAGES: encode({ bucket: 'b' }) },
      /to a file or to an output/,
    ],
    [
      {
        DAGSTER_PIPES_CONTEXT: encode({ data: {} }),
        DAGSTER_PIPES_MESSAGES: encode({ path: 'p' }),
      },
      /the context of Dagster can't be read/,
    ],
  ]
  for (const [env, message] of cases) {
    assert.throws(
      () => openPipes(env),
      (error) => error instanceof FatalError && message.test(error.message),
    )
  }
})
