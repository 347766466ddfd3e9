// How does one command work on a fresh clone? It installs what is missing, then runs the script.
// node topology/local/with-setup.mjs [SCRIPT.ts [arguments...]]    Any Node from 18 on can run this.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import {
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { constants } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as places from './places.mjs'

const progressMs = 5_000
const lockBeatMs = 2_000
const lockStaleMs = 20_000
const startedAt = Date.now()
const children = new Set()
let stoppedBy

const [script, ...scriptArgs] = process.argv.slice(2)
/** Only who watches needs Prometheus, and only the warehouse Kafka Connect's plugins. */
const wants = (part) =>
  basename(script ?? '') === 'test-run.ts' ||
  new RegExp(` --with(=| )${part} `).test(` ${scriptArgs.join(' ')} `)
const watches = wants('monitoring')
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stoppedBy = signal
    for (const child of children) signalTo(child, signal)
  })
}

try {
  const found = await setUp()
  process.exitCode = script ? await runScript(found) : 0
} catch (error) {
  if (!stoppedBy) console.error(`\n${error.message}`)
  process.exitCode = stoppedBy ? 128 + constants.signals[stoppedBy] : 1
}

async function setUp() {
  const [java, python, prometheus] = await Promise.all([
    places.findJava(),
    places.findPython(),
    watches ? places.findPrometheus() : {},
  ])
  await refuseMissing(java, python)
  if (missing(python, prometheus).length === 0) return { java, python }

  mkdirSync(places.cacheDir(), { recursive: true })
  const release = await takeLock()
  try {
    const jobs = missing(python, prometheus) // again: another run may have installed it while this one waited
    if (jobs.length === 0) return { java, python }
    say(`installing ${jobs.map((job) => job.what).join(', ')}; this is done once`)
    const progress = setInterval(() => {
      for (const job of jobs) if (!job.done) say(`${job.what}: ${job.lastLine ?? 'starting'}`)
    }, progressMs)
    try {
      const results = await Promise.allSettled(
        jobs.map(async (job) => {
          try {
            await job.install({ java, python, job })
            say(`${job.what}: ready`)
          } catch (error) {
            if (job.without !== undefined && !stoppedBy) {
              return say(`${job.what}: ${job.without}. ${error.message}`)
            }
            if (!stoppedBy) say(`${job.what}: FAILED; letting the rest finish, it is kept`)
            throw error
          } finally {
            job.done = true
          }
        }),
      )
      const failures = results.filter((result) => result.status === 'rejected')
      if (failures.length > 0) throw new Error(failures.map((f) => f.reason.message).join('\n\n'))
    } finally {
      clearInterval(progress)
    }
    say('set-up is complete')
    return { java, python }
  } finally {
    release()
  }
}

/** Says every missing program at once: nobody should meet them one by one. */
async function refuseMissing(java, python) {
  const problems = []
  const [major] = process.versions.node.split('.').map(Number)
  if (major < 18) {
    problems.push(`Node 18 or newer (this is ${process.version}): https://nodejs.org/`)
  }
  if (process.platform === 'win32') {
    problems.push('Linux or macOS: on Windows use WSL 2, https://learn.microsoft.com/windows/wsl/')
  }
  if (!java.java) {
    const seen = java.tooOld.length > 0 ? ` (too old: ${java.tooOld.join(', ')})` : ''
    problems.push(
      `Java 21 or newer${seen}: install a JDK, for example Temurin (https://adoptium.net/), ` +
        'Debian: apt install openjdk-21-jdk-headless, macOS: brew install openjdk@21; ' +
        'set JAVA_HOME if it lies in an unusual place',
    )
  }
  if (!python.python) {
    const seen = python.tooOld.length > 0 ? ` (too old: ${python.tooOld.join(', ')})` : ''
    problems.push(
      `Python 3.11 or newer${seen}: https://www.python.org/, ` +
        'Debian: apt install python3 python3-venv, macOS: brew install python@3.13',
    )
  }
  const venvs = pythonFolders().map(([folder]) => folder)
  if (
    python.python &&
    venvs.some((folder) => !existsSync(places.venvPython(python.version, folder)))
  ) {
    const answer = await places.outputOf(python.python, [
      '-c',
      'import ensurepip, venv; print("ok")',
    ])
    if (!answer.includes('ok')) {
      problems.push(`the venv module of ${python.python}: Debian: apt install python3-venv`)
    }
  }
  const javaIsThere =
    existsSync(places.serversDir()) && (!wants('warehouse') || existsSync(places.connectDir()))
  if (!javaIsThere && !(await places.outputOf('mvn', ['-v']))) {
    problems.push(
      'Maven (the mvn command): https://maven.apache.org/, Debian: apt install maven, ' +
        'macOS: brew install maven',
    )
  }
  if (!nodePackagesAreFresh() && !(await places.outputOf('npm', ['-v']))) {
    problems.push('npm: it comes with Node, https://nodejs.org/; Debian: apt install npm')
  }
  if (script && !existsSync(script)) problems.push(`the script to run: there is no ${script}`)
  if (problems.length > 0) {
    throw new Error(`These are missing:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
  }
}

function missing(python, prometheus) {
  const jobs = []
  const without = 'not installed; the tests that need it are skipped'
  if (!nodePackagesAreFresh()) jobs.push({ what: 'npm packages', install: installNodePackages })
  if (!existsSync(places.serversDir())) {
    jobs.push({ what: 'Java servers', install: installServers })
  }
  if (wants('warehouse') && !existsSync(places.connectDir())) {
    jobs.push({ what: 'Kafka Connect plugins', install: installConnect })
  }
  for (const [folder, what] of pythonFolders()) {
    if (existsSync(places.venvPython(python.version, folder))) continue
    jobs.push({ what, install: (options) => installPython(folder, options) })
  }
  if (prometheus.missing !== undefined && !existsSync(places.prometheusDir())) {
    jobs.push({ what: 'Prometheus', install: installPrometheus, without })
  }
  const checks = basename(script ?? '') === 'test-run.ts'
  if (checks && !existsSync(places.checkersDir(python.version))) {
    jobs.push({ what: 'checkers', install: installCheckers, without })
  }
  return jobs
}

/** Dagster takes another 400 MB: only for what runs it. */
function pythonFolders() {
  const runsDagster =
    basename(script ?? '') === 'orchestrate.ts' ||
    wants('dagster') ||
    scriptArgs.some((argument) => /^--scenario(=|$)/.test(argument))
  const training = ['training', 'Python packages']
  return runsDagster ? [training, ['orchestration', 'Dagster packages']] : [training]
}

/**
 * npm writes what it installed into node_modules as the last step, so an interrupted run leaves
 * no such file. Comparing it with the lock file also accepts a developer's own `npm install`.
 */
function nodePackagesAreFresh() {
  const installed = packagesOf(join(places.repositoryDir, 'node_modules', '.package-lock.json'))
  const wanted = packagesOf(join(places.repositoryDir, 'package-lock.json'))
  if (!installed || !wanted || !existsSync(places.projectNode)) return false
  return Object.entries(wanted).every(([path, { version, integrity, link, optional }]) => {
    if (!path.startsWith('node_modules/')) return true // our own workspaces
    const found = installed[path]
    if (!found) return optional === true // built for another platform
    return link === true || (found.version === version && found.integrity === integrity)
  })
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages
  } catch {
    return undefined // absent or half written: install again
  }
}

async function installNodePackages({ job }) {
  // The ONNX package would fetch GPU libraries from a site of its own; the CPU ones come with it.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
  // Not `npm ci`: it would delete node_modules under a demo that still runs from it. The lock file
  // decides the versions here too, and --no-save leaves it as it is.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=http']
  await runLogged(job, 'npm', args, { cwd: places.repositoryDir, env })
}

function installServers(options) {
  return runMaven(places.mavenDir, places.serversDir(), options)
}

function installConnect(options) {
  return runMaven(places.connectMavenDir, places.connectDir(), options)
}

async function runMaven(cwd, target, { java, job }) {
  await publish(target, async (dir) => {
    const env = { ...process.env, JAVA_HOME: java.home }
    const args = ['--batch-mode', '--strict-checksums', 'generate-resources', `-Dtarget=${dir}`]
    await runLogged(job, 'mvn', args, { cwd, env })
  })
}

async function installPython(folder, { python, job }) {
  await publish(places.venvDir(python.version, folder), (dir) =>
    makeVenv(dir, places.requirementsFile(folder), { python, job }),
  )
}

async function makeVenv(dir, requirementsFile, { python, job }) {
  await runLogged(job, python.python, ['-m', 'venv', dir], {})
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--progress-bar', 'off']
  const pinned = ['--require-hashes', '--only-binary', ':all:', '-r', requirementsFile]
  await runLogged(job, join(dir, 'bin', 'python'), [...pip, ...pinned], {})
}

/** go.sum holds the hashes. The toolchain is the one that is there, not one that it would fetch. */
async function installCheckers({ python, job }) {
  await publish(places.checkersDir(python.version), async (dir) => {
    const env = { ...process.env, GOBIN: dir, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' }
    await runLogged(job, 'go', ['install', 'tool'], { cwd: places.checkersSource, env })
    const requirements = join(places.checkersSource, 'requirements.txt')
    await makeVenv(join(dir, 'venv'), requirements, { python, job })
  })
}

/** Debian's package without its service: no root, nothing outside the cache. */
async function installPrometheus({ job }) {
  await publish(places.prometheusDir(), async (dir) => {
    const unpacked = join(dir, 'unpacked')
    mkdirSync(unpacked)
    const download = (...options) =>
      runLogged(job, 'apt-get', [...options, 'download', 'prometheus'], { cwd: dir })
    try {
      await download()
    } catch (error) {
      if (error.code === 'ENOENT') throw new Error('There is no apt-get here.', { cause: error })
      // Package lists that were never fetched, or are old: ours lie in the cache.
      const apt = join(dir, 'apt')
      mkdirSync(join(apt, 'lists', 'partial'), { recursive: true })
      mkdirSync(join(apt, 'archives', 'partial'), { recursive: true })
      const own = ['-o', `Dir::State::Lists=${apt}/lists`, '-o', `Dir::Cache=${apt}`]
      await runLogged(job, 'apt-get', [...own, 'update'], {})
      await download(...own)
    }
    const [file] = readdirSync(dir).filter((name) => name.endsWith('.deb'))
    await runLogged(job, 'dpkg-deb', ['-x', join(dir, file), unpacked], {})
    renameSync(join(unpacked, 'usr', 'bin'), join(dir, 'bin'))
    for (const rest of [file, 'unpacked', 'apt'])
      rmSync(join(dir, rest), { recursive: true, force: true })
  })
}

/**
 * Builds in a folder with a name of its own, then gives it the expected name by a symbolic link.
 * A link appears at once or not at all; a rename would break the paths written inside a venv.
 */
async function publish(name, build) {
  const cache = dirname(name)
  const current = linkTarget(name)
  for (const stray of readdirSync(cache)) {
    if (stray.startsWith(`${basename(name)}.`) && stray !== current) {
      rmSync(join(cache, stray), { recursive: true, force: true })
    }
  }
  if (current) rmSync(name) // it leads to nothing, or this would not be running
  const dir = `${name}.${randomBytes(4).toString('hex')}`
  mkdirSync(dir)
  try {
    await build(dir)
    symlinkSync(basename(dir), name)
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    if (error.code !== 'EEXIST') throw error // another run was first: use its result
  }
}

function linkTarget(name) {
  return lstatSync(name, { throwIfNoEntry: false }) ? readlinkSync(name) : undefined
}

function runLogged(job, command, args, options) {
  const logFile = join(
    places.cacheDir(),
    `setup-${job.what.replaceAll(' ', '-').toLowerCase()}.log`,
  )
  const log = createWriteStream(logFile)
  let tail = ''
  return new Promise((done, fail) => {
    if (stoppedBy) return fail(new Error(`stopped by ${stoppedBy}`))
    // Its own group, so that the programs it starts end with it.
    const child = spawn(command, args, {
      ...options,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.add(child)
    const take = (text) => {
      log.write(text)
      tail = `${tail}${text}`.slice(-4_000)
      job.lastLine = tail.trimEnd().split('\n').at(-1)?.trim().slice(0, 90)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', fail)
    child.on('close', (code, signal) => {
      children.delete(child)
      log.end()
      if (code === 0) return done()
      const last = tail.trimEnd().split('\n').slice(-25).join('\n')
      const ended = signal ? `was ended by ${signal}` : `failed with exit code ${code}`
      fail(new Error(`${job.what}: ${command} ${ended}. The log is ${logFile}. It ends:\n${last}`))
    })
  })
}

/** One set-up at a time. The holder touches the lock, so a lock left by kill -9 goes stale. */
async function takeLock() {
  const lock = join(places.cacheDir(), 'setup.lock')
  let told = false
  for (;;) {
    if (stoppedBy) throw new Error(`stopped by ${stoppedBy}`)
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const touchedAt = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - touchedAt > lockStaleMs) {
      rmSync(lock, { recursive: true, force: true })
    } else if (!told) {
      say('waiting for another set-up to end')
      told = true
    }
    await wait(250)
  }
  const beat = setInterval(() => utimesSync(lock, new Date(), new Date()), lockBeatMs)
  return () => {
    clearInterval(beat)
    rmSync(lock, { recursive: true, force: true })
  }
}

function runScript({ java, python }) {
  const preload = join(dirname(fileURLToPath(import.meta.url)), 'end-with-parent.mjs')
  const args = [
    // The stock Kafka client that only the readiness check uses sets negative timers.
    '--disable-warning=TimeoutNegativeWarning',
    '--import',
    pathToFileURL(preload).href,
    resolve(script),
    ...scriptArgs,
  ]
  return new Promise((done, fail) => {
    // In its own session a Ctrl-C reaches it once, through us, and not a second time from the terminal.
    const child = spawn(places.projectNode, args, {
      detached: true,
      stdio: 'inherit',
      env: {
        ...process.env,
        CHURNSTREAM_PARENT: String(process.pid),
        CHURNSTREAM_COMMAND_STARTED_AT: String(performance.timeOrigin),
        // So that the stack need not look for them again.
        JAVA_HOME: java.home,
        CHURNSTREAM_PYTHON: python.python,
      },
    })
    children.add(child)
    if (stoppedBy) signalTo(child, stoppedBy)
    child.on('error', fail)
    child.on('exit', (code, signal) => done(code ?? 128 + constants.signals[signal]))
  })
}

function signalTo(child, signal) {
  // The script stops its own children in order; an installer is stopped with all of its own.
  const target = child.spawnargs.includes('--import') ? child.pid : -child.pid
  try {
    process.kill(target, signal)
  } catch {
    // it has just ended
  }
}

function say(line) {
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)
  console.error(`[setup ${seconds} s] ${line}`)
}
