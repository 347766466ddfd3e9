// Are the workflows sound, and do they run what a person can run?
import { findCheckers } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  accessSync,
  constants,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'yaml'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const checkers = await findCheckers()
const skip = checkers.missing === undefined ? false : `no actionlint: ${checkers.missing}`
if (skip) console.log(skip)

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}
interface Job {
  readonly uses?: string
  readonly steps?: readonly Step[]
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes'?: number
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions?: object
  readonly concurrency?: { readonly 'cancel-in-progress': unknown }
  readonly jobs: Readonly<Record<string, Job>>
}
interface Action {
  readonly runs: { readonly steps: readonly Step[] }
}

const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8')
const workflows = globSync('.github/workflows/*.yml', { cwd: root }).toSorted()
const actions = globSync('.github/actions/*/action.yml', { cwd: root }).toSorted()
const scripts = ['.github/scripts/*.sh', 'k8s/*.sh', '.ci/*'].flatMap((pattern) =>
  globSync(pattern, { cwd: root }),
)
const parsed = workflows.map((path) => ({ path, workflow: parse(read(path)) as Workflow }))
const jobs = parsed.flatMap(({ path, workflow }) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ at: `${path} ${name}`, job })),
)
const steps = [
  ...jobs.flatMap(({ at, job }) => (job.steps ?? []).map((step) => ({ at, step }))),
  ...actions.flatMap((path) =>
    (parse(read(path)) as Action).runs.steps.map((step) => ({ at: path, step })),
  ),
]

test('actionlint - nothing to say', { skip }, async () => {
  const { actionlint = '', shellcheck = '' } = checkers
  const env = { ...process.env, PATH: `${dirname(shellcheck)}${delimiter}${process.env['PATH']}` }
  const files = workflows.map((path) => `${root}${path}`)
  const { stdout } = await run(actionlint, ['-no-color', '-shellcheck', 'shellcheck', ...files], {
    cwd: root,
    env,
  }).catch((error: { stdout: string }) => error)
  assert.equal(stdout, '')
})

test('shellcheck - nothing to say of any script', { skip }, async () => {
  assert.ok(scripts.length > 6)
  const { stdout } = await run(checkers.shellcheck ?? '', scripts, { cwd: root }).catch(
    (error: { stdout: string }) => error,
  )
  assert.equal(stdout, '')
  for (const script of scripts) accessSync(`${root}${script}`, constants.X_OK)
})

test('actions - each by its full commit, with the version it is, the same everywhere', () => {
  const pins = new Map<string, string>()
  let pinned = 0
  for (const path of [...workflows, ...actions]) {
    for (const [line, name = '', rest = ''] of read(path).matchAll(/uses: ([^\s@]+)(.*)$/gm)) {
      if (name.startsWith('./')) continue
      pinned++
      assert.match(rest, /^@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, `${path}: ${line}`)
      assert.equal(pins.get(name) ?? rest, rest, `${path}: ${name} has two versions`)
      pins.set(name, rest)
    }
  }
  assert.equal(pinned, steps.filter(({ step }) => step.uses && !step.uses.startsWith('./')).length)
})

test('workflows - have no right by themselves, and never a stranger with ours', () => {
  for (const { path, workflow } of parsed) {
    assert.deepEqual(workflow.permissions, {}, path)
    assert.ok(!('pull_request_target' in workflow.on), path)
    assert.ok(!('workflow_run' in workflow.on), path)
  }
  const writes = jobs.filter(({ job }) => Object.values(job.permissions ?? {}).includes('write'))
  assert.deepEqual(
    writes.map(({ at }) => at),
    [
      '.github/workflows/deploy.yml staging',
      '.github/workflows/deploy.yml prod',
      '.github/workflows/model.yml retrain',
      '.github/workflows/release.yml publish',
      '.github/workflows/release.yml deploy',
      '.github/workflows/terraform.yml plan',
      '.github/workflows/terraform.yml apply',
    ],
    'who may write, or be somebody in the cloud',
  )
})

test('workflows - are cut off for a newer push of a pull request, and never on main', () => {
  for (const { path, workflow } of parsed) {
    if ('workflow_call' in workflow.on && Object.keys(workflow.on).length === 1) continue
    assert.ok(workflow.concurrency, path)
    const cancel = workflow.concurrency['cancel-in-progress']
    const onPullRequest = "${{ github.event_name == 'pull_request' }}"
    assert.ok(cancel === false || cancel === onPullRequest, path)
  }
})

test('jobs - say what they may and how long they take', () => {
  for (const { at, job } of jobs) {
    assert.ok(job.permissions, at)
    if (job.uses === undefined) assert.ok(job['timeout-minutes'], at)
  }
})

test('steps - leave no token on disk, and take nothing into a shell but by its environment', () => {
  for (const { at, step } of steps) {
    if (step.uses?.startsWith('actions/checkout@')) {
      assert.equal(step.with?.['persist-credentials'], false, at)
    }
    assert.ok(!step.run?.includes('${{'), `${at}: ${step.run}`)
    const lines = step.run?.trim().split('\n').length ?? 0
    assert.ok(lines <= 4, `${at}: a script of ${lines} lines belongs into a file`)
  }
})

test('commands - are those of package.json and of files that are there', () => {
  const manifest = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const texts = [...workflows, ...actions, ...scripts].map((path) => ({ path, text: read(path) }))
  const named = new Set<string>()
  for (const { path, text } of texts) {
    for (const [, option, name = 'test'] of text.matchAll(
      /\bnpm (?:run (--silent )?([a-z:-]+)|test\b)/g,
    )) {
      assert.ok(name in manifest.scripts, `${path}: npm run ${option ?? ''}${name}`)
      named.add(name)
    }
    for (const [file] of text.matchAll(/(?:\.github\/scripts|k8s)\/[a-z-]+\.(?:sh|ts)/g)) {
      accessSync(`${root}${file}`)
    }
  }
  for (const name of ['check', 'test', 'infra:check', 'faults', 'bench', 'model']) {
    assert.ok(named.has(name), `nobody runs npm run ${name}`)
  }
})

test('changed.sh - words alone change nothing that runs, and an unknown past everything', async () => {
  const repository = mkdtempSync(join(tmpdir(), 'churnstream-changed-'))
  const who = ['-c', 'user.name=n', '-c', 'user.email=n@example.org']
  const git = (...args: string[]) => run('git', [...who, ...args], { cwd: repository })
  const commit = async (file: string) => {
    writeFileSync(join(repository, file), 'x')
    await git('add', '.')
    await git('commit', '-qm', file)
    return (await git('rev-parse', 'HEAD')).stdout.trim()
  }
  const changedSince = async (base: string) =>
    (await run(`${root}.github/scripts/changed.sh`, [base], { cwd: repository })).stdout.trim()
  try {
    await git('init', '-q')
    const first = await commit('main.ts')
    const second = await commit('README.md')
    assert.equal(await changedSince(first), 'code=false')
    await commit('other.ts')
    assert.equal(await changedSince(second), 'code=true')
    assert.equal(await changedSince('0'.repeat(40)), 'code=true')
  } finally {
    rmSync(repository, { recursive: true })
  }
})
