// Which contenders can run here, and why not the others?
import { messageOf } from '@churnstream/runtime'
import { cacheDir, findJava, findPython, outputOf } from '@churnstream/topology/local'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const javaFolder = here('java')
export const pythonFolder = here('python')

export interface Java {
  readonly command: string
  readonly classPath: string
}

export interface Installation {
  readonly java: Java | { readonly missing: string }
  /** The Python that has Quix. */
  readonly quix: string | { readonly missing: string }
  readonly taskset: boolean
}

/** Built once, in the cache: what is there is not looked for again. */
export async function install(
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<Installation> {
  const attempt = async <T>(install: () => Promise<T>): Promise<T | { missing: string }> => {
    try {
      return await install()
    } catch (error) {
      signal.throwIfAborted()
      return { missing: messageOf(error) }
    }
  }
  return {
    java: await attempt(() => installJava(onProgress, signal)),
    quix: await attempt(() => installQuix(onProgress, signal)),
    taskset: (await outputOf('taskset', ['-V'])) !== '',
  }
}

async function installJava(onProgress: (line: string) => void, signal: AbortSignal): Promise<Java> {
  const found = await findJava()
  if (found.java === undefined) throw new Error('there is no Java 21 or newer')
  const { java, home } = found
  const sources = globSync('**/*.{xml,java}', { cwd: javaFolder }).toSorted()
  const name = `peers-java-${hashOf(sources.map((file) => join(javaFolder, file)))}`
  const folder = await built(name, async (target) => {
    if ((await outputOf('mvn', ['-v'])) === '') throw new Error('there is no mvn on PATH')
    onProgress('Maven builds the contenders in Java, once')
    const args = ['--batch-mode', '--quiet', '--strict-checksums', 'package', `-Dtarget=${target}`]
    const env = { ...process.env, JAVA_HOME: home }
    await promisify(execFile)('mvn', args, { cwd: javaFolder, env, signal })
  })
  return { command: java, classPath: join(folder, '*') }
}

async function installQuix(
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const found = await findPython()
  if (found.python === undefined) throw new Error('there is no Python 3.11 or newer')
  const { python, version } = found
  const requirements = join(pythonFolder, 'requirements.txt')
  const platform = `${process.platform}-${process.arch}-${version}`
  const folder = await built(
    `peers-python-${platform}-${hashOf([requirements])}`,
    async (target) => {
      onProgress('pip installs Quix Streams, once')
      await promisify(execFile)(python, ['-m', 'venv', target], { signal })
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
      const pinned = ['--require-hashes', '--only-binary', ':all:', '-r', requirements]
      await promisify(execFile)(join(target, 'bin', 'python'), [...pip, ...pinned], { signal })
    },
  )
  return join(folder, 'bin', 'python')
}

/** The folder under its name of the cache. Without the mark the one that is there is half built. */
async function built(name: string, build: (target: string) => Promise<void>): Promise<string> {
  const folder = join(cacheDir(), name)
  const mark = join(folder, 'is-complete')
  if (existsSync(mark)) return folder
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await build(folder)
  writeFileSync(mark, '')
  return folder
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex').slice(0, 16)
}
