// Where do the parts of the local stack lie on this computer?
// Plain JavaScript: the set-up reads it before anything is installed, the stack reads it after.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

export const repositoryDir = join(here, '..', '..')
export const mavenDir = join(here, 'maven')
export const checkersSource = join(here, 'checkers')
export const projectNode = join(repositoryDir, 'node_modules', '.bin', 'node')

const javaMinimum = 21
const pythonMinimum = 11
const poms = ['pom.xml', 'kafka/pom.xml', 's3proxy/pom.xml', 'registry/pom.xml']

/** Outside the repository, so that a second clone reuses it and a deleted clone leaves it. */
export function cacheDir() {
  const { CHURNSTREAM_CACHE, XDG_CACHE_HOME } = process.env
  if (CHURNSTREAM_CACHE) return CHURNSTREAM_CACHE
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'churnstream')
}

/** The folders carry a hash of what they are built from: other versions never meet in one. */
export function serversDir() {
  return join(cacheDir(), `servers-${hashOf(poms.map((pom) => readFileSync(join(mavenDir, pom))))}`)
}

export const connectMavenDir = join(mavenDir, 'connect')

/** Kafka Connect's plugins, which only the warehouse needs. */
export function connectDir() {
  const sources = [
    'pom.xml',
    'iceberg/pom.xml',
    'converter/churnstream/connect/PatientAvroConverter.java',
    'manifest/META-INF/services/org.apache.kafka.connect.storage.Converter',
  ]
  const hash = hashOf(sources.map((file) => readFileSync(join(connectMavenDir, file))))
  return join(cacheDir(), `connect-${hash}`)
}

/** Of a Python folder: `training` and the MLflow server, or `orchestration`. */
export function requirementsFile(folder) {
  return join(repositoryDir, 'services', folder, 'requirements.txt')
}

export function venvDir(pythonVersion, folder = 'training') {
  const platform = `${process.platform} ${process.arch} ${pythonVersion}`
  return join(cacheDir(), `python-${hashOf([readFileSync(requirementsFile(folder)), platform])}`)
}

export function venvPython(pythonVersion, folder = 'training') {
  return join(venvDir(pythonVersion, folder), 'bin', 'python')
}

/** Debian's package, unpacked; another release of Debian has another one. */
export function prometheusDir() {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release') : ''
  return join(cacheDir(), `prometheus-${hashOf([release, process.arch])}`)
}

/** What checks manifests, workflows and scripts: two programs in Go, two packages of Python. */
export function checkersDir(pythonVersion) {
  const pins = ['go.mod', 'go.sum', 'requirements.txt'].map((file) =>
    readFileSync(join(checkersSource, file)),
  )
  const platform = `${process.platform} ${process.arch} ${pythonVersion}`
  return join(cacheDir(), `checkers-${hashOf([...pins, platform])}`)
}

/** Each by its path. */
export async function findCheckers() {
  const { version } = await findPython()
  const dir = version === undefined ? undefined : checkersDir(version)
  if (dir === undefined || !existsSync(dir)) {
    return { missing: 'the set-up builds them where Go 1.25 or newer is on PATH (https://go.dev/)' }
  }
  const venv = join(dir, 'venv', 'bin')
  return {
    kustomize: join(dir, 'kustomize'),
    actionlint: join(dir, 'actionlint'),
    kubernetesValidate: join(venv, 'kubernetes-validate'),
    shellcheck: join(venv, 'shellcheck'),
  }
}

/** Prometheus and its tool: what the set-up unpacked, else what is on PATH. */
export async function findPrometheus() {
  const ours = join(prometheusDir(), 'bin')
  if (existsSync(ours)) {
    return { prometheus: join(ours, 'prometheus'), promtool: join(ours, 'promtool') }
  }
  const names = ['prometheus', 'promtool']
  const answers = await Promise.all(names.map((name) => outputOf(name, ['--version'])))
  const lacking = names.filter((_, index) => !answers[index].includes('version'))
  if (lacking.length === 0) return { prometheus: 'prometheus', promtool: 'promtool' }
  const how = 'the set-up gets it where apt-get is; elsewhere: https://prometheus.io/download/'
  return { missing: `there is no ${lacking.join(' and no ')} on PATH (${how})` }
}

/** The first Java that is new enough: the registry needs 21 although Kafka would run on 17. */
export async function findJava() {
  const tooOld = []
  for (const home of javaHomes()) {
    const java = join(home, 'bin', 'java')
    if (!existsSync(java)) continue
    const version = await javaVersion(home, java)
    if (!version) continue
    if (Number(version) >= javaMinimum) return { java, home, version }
    tooOld.push(`${home} is ${version}`)
  }
  return { tooOld }
}

/** JDKs say their version in a file; asking the program takes a hundred times longer. */
async function javaVersion(home, java) {
  const release = join(home, 'release')
  const written = existsSync(release) ? readFileSync(release, 'utf8') : ''
  const found = /^JAVA_VERSION="(\d+)/m.exec(written)
  return (found ?? /version "(\d+)/.exec(await outputOf(java, ['-version'])))?.[1]
}

/** Each candidate is run: a name on PATH may be a shim for a version that is not there. */
export async function findPython() {
  const tooOld = []
  const ask = 'import sys; print("python", *sys.version_info[:3], sys.executable, sep="|")'
  const { CHURNSTREAM_PYTHON } = process.env
  const usual = ['python3.13', 'python3.12', 'python3.11', 'python3']
  const names = CHURNSTREAM_PYTHON ? [CHURNSTREAM_PYTHON] : usual
  const answers = await Promise.all(names.map((name) => outputOf(name, ['-c', ask])))
  for (const [index, name] of names.entries()) {
    const answer = /python\|3\|(\d+)\|(\d+)\|(.+)/.exec(answers[index])
    if (!answer) continue
    const version = `3.${answer[1]}.${answer[2]}`
    if (Number(answer[1]) >= pythonMinimum) return { python: answer[3].trim(), version }
    tooOld.push(`${name} is ${version}`)
  }
  return { tooOld }
}

/** Stdout and stderr of a short command, and nothing when it cannot run. */
export function outputOf(command, args) {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve(error ? '' : `${stdout}${stderr}`)
    })
  })
}

function javaHomes() {
  const homes = []
  if (process.env.JAVA_HOME) homes.push(process.env.JAVA_HOME)
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    // On macOS /usr/bin/java is a stub that opens a dialog when no Java is installed.
    if (folder !== '/usr/bin' || process.platform !== 'darwin') homes.push(dirname(folder || '.'))
  }
  const home = homedir()
  const parents = [
    ['/usr/lib/jvm', ''],
    ['/usr/lib64/jvm', ''],
    ['/usr/java', ''],
    ['/opt', ''],
    ['/opt/java', ''],
    ['/Library/Java/JavaVirtualMachines', 'Contents/Home'],
    [join(home, 'Library/Java/JavaVirtualMachines'), 'Contents/Home'],
    ['/opt/homebrew/opt', 'libexec/openjdk.jdk/Contents/Home'],
    ['/usr/local/opt', 'libexec/openjdk.jdk/Contents/Home'],
    [join(home, '.sdkman/candidates/java'), ''],
    [join(home, '.jdks'), ''],
    [join(home, '.local/share/mise/installs/java'), ''],
    [join(home, '.asdf/installs/java'), ''],
  ]
  for (const [parent, inside] of parents) {
    for (const name of foldersOf(parent)) homes.push(join(parent, name, inside))
  }
  return [...new Set(homes)]
}

function foldersOf(parent) {
  try {
    return readdirSync(parent).sort().reverse()
  } catch {
    return [] // a folder that this system does not have
  }
}

function hashOf(parts) {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 16)
}
