// npm run images: every image, built with the Docker engine of this machine, and its size.
import { spawn, execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

export interface Image {
  readonly name: string
  readonly file: string
  readonly target?: string
  /** Arguments of the Dockerfile that name an image, and what stands for it where none is pulled. */
  readonly bases: Readonly<Record<string, string>>
}

const local = (name: string): string => `local/${name}:bookworm`

/** In the order in which they build on each other. */
export const images: readonly Image[] = [
  {
    name: 'churnstream/services',
    file: 'services.Dockerfile',
    bases: { NODE_IMAGE: local('node'), BASE_IMAGE: local('debian') },
  },
  {
    name: 'churnstream/connect',
    file: 'connect.Dockerfile',
    bases: { BUILD_IMAGE: local('maven'), BASE_IMAGE: local('debian') },
  },
  {
    name: 'churnstream/mlflow',
    file: 'python.Dockerfile',
    target: 'mlflow',
    bases: { BUILD_IMAGE: local('build'), BASE_IMAGE: local('debian') },
  },
  {
    name: 'churnstream/dagster',
    file: 'python.Dockerfile',
    target: 'dagster',
    bases: { BUILD_IMAGE: local('build'), BASE_IMAGE: local('debian') },
  },
]

export interface BuildOptions {
  readonly tag: string
  /** From the base images that images/base-from-debian.sh makes. */
  readonly isLocal: boolean
  readonly onProgress: (line: string) => void
}

/** @throws Error with the end of what the engine said */
export async function buildImages({ tag, isLocal, onProgress }: BuildOptions): Promise<void> {
  const revision = (await outputOf('git', ['rev-parse', 'HEAD']).catch(() => 'unknown')).trim()
  for (const { name, file, target, bases } of images) {
    const startedAt = performance.now()
    const given = isLocal ? Object.entries(bases) : []
    const values = [
      ...given,
      ['REVISION', revision],
      ['SERVICES_IMAGE', `${images[0]?.name}:${tag}`],
    ]
    await build([
      '--file',
      `images/${file}`,
      '--tag',
      `${name}:${tag}`,
      ...(target === undefined ? [] : ['--target', target]),
      // So that the package registries which this machine can reach are reached.
      ...(isLocal ? ['--network', 'host'] : []),
      ...values.flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
    ])
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    onProgress(`${name}:${tag} ${await megabytesOf(`${name}:${tag}`)} MB, built in ${seconds} s`)
  }
}

export async function megabytesOf(image: string): Promise<number> {
  const bytes = await outputOf('docker', ['image', 'inspect', '--format', '{{.Size}}', image])
  return Math.round(Number(bytes) / 1e6)
}

export const hasLocalBase = (): Promise<boolean> =>
  outputOf('docker', ['image', 'inspect', local('debian')]).then(
    () => true,
    () => false,
  )

const repository = fileURLToPath(new URL('../', import.meta.url))

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd: repository })).stdout
}

function build(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, DOCKER_BUILDKIT: '1' }
    const child = spawn('docker', ['build', ...args, '.'], { cwd: repository, env })
    let tail = ''
    const take = (chunk: Buffer) => {
      tail = `${tail}${chunk.toString()}`.slice(-4_000)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`docker build ${args.join(' ')} failed:\n${tail}`)),
    )
  })
}

const usage = `npm run images -- [--tag latest] [--local]

Builds every image of Churnstream and prints its size.
  --tag latest  what they are tagged with
  --local       from local/* images, which images/base-from-debian.sh makes: nothing is pulled`

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string', default: 'latest' },
      local: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) console.log(usage)
  else {
    const { tag, local: isLocal } = values
    await buildImages({ tag, isLocal, onProgress: (line) => console.log(line) })
  }
}
