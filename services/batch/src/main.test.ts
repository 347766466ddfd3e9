// Does the command say to a shell, and to Dagster, how it ended?
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { modelFolder, rowFile, scratchOf, write } from './testing.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(
  args: readonly string[],
  options: {
    readonly env?: Record<string, string>
    readonly onStderr?: (pid: number) => void
  } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args, '--data-dir', '/no/such/demo'], {
    env: { PATH: process.env['PATH'], ...options.env },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()))
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString()
    if (child.pid !== undefined) options.onStderr?.(child.pid)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

const encode = (value: unknown): string =>
  deflateSync(Buffer.from(JSON.stringify(value))).toString('base64')

interface Message {
  readonly method: string
  readonly params: Record<string, unknown>
}

test('score - the last line is the summary, and a person gets a sentence', async (t) => {
  const target = join(scratchOf(t), 's.parquet')
  const args = [rowFile('index.csv'), '--model', modelFolder, '--to', target]
  const { code, stdout } = await run([...args, '--json'])
  assert.equal(code, 0)
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
  assert.deepEqual([summary['rowsIn'], summary['scored'], summary['target']], [7, 7, target])
  const said = await run(args)
  assert.match(said.stdout, /^7 of 7 rows scored with version [0-9a-f]{12} of model in .* s: /)
  assert.equal((await run(['--help'])).code, 0)
})

test('score - under Dagster it reports to the asset, and every end is told', async (t) => {
  const folder = scratchOf(t)
  const target = join(folder, 's.csv')
  const started = async (asset_keys: string[], ...args: string[]) => {
    const path = join(folder, `messages-${asset_keys.join()}-${args.length}`)
    const context = { run_id: 'r', retry_number: 0, extras: {}, asset_keys }
    const ended = await run(args, {
      env: {
        DAGSTER_PIPES_CONTEXT: encode({ data: context }),
        DAGSTER_PIPES_MESSAGES: encode({ path }),
      },
    })
    const lines = readFileSync(path, 'utf8').trim().split('\n')
    return { ended, messages: lines.map((line) => JSON.parse(line) as Message) }
  }
  const good = await started(
    ['scores'],
    rowFile('index.csv'),
    '--model',
    modelFolder,
    '--to',
    target,
  )
  assert.equal(good.ended.code, 0)
  assert.equal(good.ended.stderr, '')
  const methods = good.messages.map(({ method }) => method)
  assert.deepEqual([methods[0], methods.at(-1)], ['opened', 'closed'])
  assert.ok(methods.includes('log'))
  const find = (method: string) => good.messages.find((one) => one.method === method)?.params ?? {}
  const { score } = find('report_custom_message')['payload'] as { score: Record<string, unknown> }
  assert.equal(score['scored'], 7)
  const report = find('report_asset_materialization')
  assert.equal(report['asset_key'], 'scores')
  assert.equal(report['data_version'], score['outputSha256'])
  assert.deepEqual((report['metadata'] as Record<string, unknown>)['scored'], {
    raw_value: 7,
    type: '__infer__',
  })

  const bad = await started(['a', 'b'], 'nothing.csv', '--model', modelFolder, '--to', target)
  assert.equal(bad.ended.code, 1)
  const exception = bad.messages.at(-1)?.params['exception'] as Record<string, unknown>
  assert.equal(exception['name'], 'FatalError')
  assert.match(String(exception['message']), /reading nothing\.csv: ENOENT/)
})

test('score - what is wrong with the arguments or the world is one message, without a stack', async (t) => {
  const folder = scratchOf(t)
  const to = ['--to', join(folder, 's.csv')]
  const file = rowFile('index.csv')
  const cases: [string[], number, RegExp][] = [
    [[], 1, /SOURCE is missing/],
    [[file, '--model', modelFolder, '--to', join(folder, 'no', 's.csv')], 1, /writing .*ENOENT/],
    [[file, '--model', 'models:/churn-gb@champion', ...to], 1, /there is no stack/],
    [[file, '--model', join(folder, 'none'), ...to], 1, /the model .*none can't be read/],
    [[file, '--model', file, ...to], 1, /is a file: give the folder/],
    [
      [file, '--model', modelFolder, '--to', 'postgres', '--slot', 's'],
      1,
      /DATABASE_URL is not set/,
    ],
  ]
  for (const [args, expected, message] of cases) {
    const { code, stderr } = await run(args)
    assert.equal(code, expected, stderr)
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, /^\s+at /m)
  }
  const away = {
    env: { MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', PATH: process.env['PATH'] ?? '' },
  }
  const { code } = await run([file, '--model', 'models:/churn-gb@champion', ...to], away)
  assert.equal(code, 75)
})

test('score - stopped by a signal it leaves nothing and may be tried again', async (t) => {
  const folder = scratchOf(t)
  const [header = '', ...lines] = readFileSync(rowFile('index.csv'), 'utf8').trim().split('\n')
  const many = Array.from({ length: 60_000 }, (_, n) =>
    (lines[n % lines.length] as string).replace(/p-\d/, `p-${n}`),
  )
  const source = write(scratchOf(t), 'many.csv', [header, ...many].join('\n'))
  const target = join(folder, 's.csv')
  const { code, stderr } = await run([source, '--model', modelFolder, '--to', target], {
    onStderr: (pid) => process.kill(pid, 'SIGTERM'),
  })
  assert.equal(code, 75, stderr)
  assert.match(stderr, /it was stopped by SIGTERM/)
  assert.equal(existsSync(target), false)
  assert.deepEqual(readdirSync(folder), [])
})
