// npm test: the repository's tests, unit tests first, then those that need real servers.
import { venvPython, findPython } from '@churnstream/topology/local'
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const usage = `npm test -- [--only unit|integration|python|slow|infrastructure|containers] [PATTERN]

Runs unit tests, tests on real servers and the Python tests. With PATTERN only the test files whose
path contains it. The slow ones, in which Dagster's own clock decides, run when they are asked for;
those of the infrastructure are unit tests, and can be asked for alone; those in containers need a
Docker engine, and are skipped where there is none.`

/** What `npm run infra:check` runs alone. */
const infrastructure = ['terraform', 'k8s', '.github']

const root = fileURLToPath(new URL('../../', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, help: { type: 'boolean', default: false } },
})

interface Stage {
  readonly name: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
}

if (values.help) {
  console.log(usage)
} else {
  process.exitCode = await runAll()
}

async function runAll(): Promise<number> {
  const files = globSync(
    ['schemas', 'topology', 'services', ...infrastructure].map(
      (folder) => `${folder}/**/*.test.ts`,
    ),
    {
      cwd: root,
      exclude: (name) => name === 'node_modules',
    },
  )
    .filter((file) => positionals.every((part) => file.includes(part)))
    .toSorted()
  // Each of these starts servers of its own: one after the other, or they starve each other.
  const needsServers = (file: string) => /\.integration\.test\.ts$|local\/.*\.test\.ts$/.test(file)
  const isSlow = (file: string) => file.endsWith('.slow.test.ts')
  const isInContainers = (file: string) => file.endsWith('.containers.test.ts')
  const stages: Stage[] = []
  const wants = (name: string) => values.only === undefined || values.only === name
  if (wants('unit'))
    stages.push(
      await runNode(
        'unit',
        files.filter((file) => ![needsServers, isSlow, isInContainers].some((not) => not(file))),
        2,
      ),
    )
  if (wants('python') && positionals.length === 0)
    stages.push(await runPython('training'), await runPython('orchestration'))
  if (wants('integration')) stages.push(await runNode('integration', files.filter(needsServers), 1))

  const isInfrastructure = (file: string) => infrastructure.some((top) => file.startsWith(top))
  if (values.only === 'infrastructure')
    stages.push(await runNode('infrastructure', files.filter(isInfrastructure), 1))
  if (values.only === 'slow') stages.push(await runNode('slow', files.filter(isSlow), 1))
  if (values.only === 'containers')
    stages.push(await runNode('containers', files.filter(isInContainers), 1))

  const sum = (of: 'passed' | 'failed' | 'skipped') => stages.reduce((n, stage) => n + stage[of], 0)
  for (const { name, passed, failed, skipped, seconds } of stages) {
    console.log(
      `${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds.toFixed(0)} s`,
    )
  }
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')]
  if (passed === 0 && failed === 0) console.log('no test matches')
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  // Containers need an engine, which not every machine has.
  return failed > 0 || (passed === 0 && skipped === 0) ? 1 : 0
}

async function runNode(
  name: string,
  files: readonly string[],
  concurrency: number,
): Promise<Stage> {
  if (files.length === 0) return { name, passed: 0, failed: 0, skipped: 0, seconds: 0 }
  const { output, code, seconds } = await spawned(process.execPath, [
    '--disable-warning=TimeoutNegativeWarning',
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${concurrency}`,
    ...files,
  ])
  const count = (what: string) =>
    Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? 0)
  const failed = count('fail') + count('cancelled')
  return {
    name,
    passed: count('pass'),
    failed: code === 0 ? failed : Math.max(1, failed),
    skipped: count('skipped') + count('todo'),
    seconds,
  }
}

async function runPython(folder: 'training' | 'orchestration'): Promise<Stage> {
  const base = await findPython()
  if (base.python === undefined) throw new Error('Python is gone since the set-up looked for it')
  const { output, code, seconds } = await spawned(
    venvPython(base.version, folder),
    ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--color=no'],
    `${root}services/${folder}`,
  )
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(output)?.[1] ?? 0)
  const failed = count('failed') + count('error')
  return {
    name: `python ${folder}`,
    passed: count('passed'),
    failed: code === 0 ? failed : Math.max(1, failed),
    skipped: count('skipped'),
    seconds,
  }
}

/** Runs a command with its output shown and kept. */
function spawned(
  command: string,
  args: readonly string[],
  cwd = root,
): Promise<{ output: string; code: number | null; seconds: number }> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk)
      output += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ output, code, seconds: (performance.now() - startedAt) / 1000 }),
    )
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => child.kill(signal))
  })
}
