// Where is Terraform, and what does it say of a copy of this folder?
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const provider = join('registry.terraform.io', 'hashicorp', 'aws')

/** What of the repository the configuration reads. */
const sources = [
  'terraform',
  join('observability', 'prometheus', 'rules.yml'),
  join('services', 'orchestration', 'instance', 'dagster.yaml'),
]

export interface Installation {
  readonly binary: string
  /** Holds the provider, unpacked, as Terraform's own mirrors do. */
  readonly plugins: string
}

/** Or why there is none, and what to do. Nothing is downloaded. */
export function findTerraform(): Installation | { readonly missing: string } {
  const binary = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'terraform'))
    .find((file) => existsSync(file))
  if (binary === undefined) return { missing: 'terraform is not on PATH' }
  const plugins = pluginFolders().find(holdsProvider)
  if (plugins === undefined) {
    return {
      missing:
        `no folder with ${provider}, unpacked, was found: set TF_PLUGIN_DIR to one, ` +
        'e.g. made by `terraform providers mirror`',
    }
  }
  return { binary, plugins }
}

function pluginFolders(): string[] {
  const named = [process.env['TF_PLUGIN_DIR'], process.env['TF_PLUGIN_CACHE_DIR']]
  const usual = [
    join(homedir(), '.terraform.d'),
    join(homedir(), '.local', 'share', 'terraform'),
    join('/', 'usr', 'local', 'share'),
    join('/', 'usr', 'share'),
    join('/', 'opt'),
  ].filter((folder) => existsSync(folder))
  const within = usual.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  return [...named.filter((folder) => folder !== undefined), ...usual, ...within]
}

function holdsProvider(folder: string): boolean {
  const versions = join(folder, provider)
  const platform = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`
  return (
    existsSync(versions) &&
    readdirSync(versions).some((version) => existsSync(join(versions, version, platform)))
  )
}

export interface Answer {
  readonly code: number | null
  readonly output: string
}

export interface Workspace extends Disposable {
  /** The copy of terraform/. */
  readonly folder: string
  /** Runs in a folder of the copy, `terraform init` first where that is still to do. */
  run(root: string, ...args: string[]): Promise<Answer>
}

/** A copy, because `init` writes beside what it reads. It is removed at the end. */
export function openWorkspace({ binary, plugins }: Installation): Workspace {
  const home = mkdtempSync(join(tmpdir(), 'churnstream-terraform-'))
  for (const source of sources) {
    cpSync(join(repository, source), join(home, source), {
      recursive: true,
      filter: (file) => !file.includes('.terraform'),
    })
  }
  const folder = join(home, 'terraform')
  const initialised = new Set<string>()

  return {
    folder,
    async run(root, ...args) {
      const cwd = join(folder, root)
      if (!initialised.has(cwd)) {
        const init = ['init', '-backend=false', '-input=false', `-plugin-dir=${plugins}`]
        const answer = await spawned(binary, [...init, '-no-color'], cwd)
        if (answer.code !== 0)
          throw new Error(`terraform init in ${root} failed:\n${answer.output}`)
        initialised.add(cwd)
      }
      return spawned(binary, args, cwd)
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}

export function spawned(binary: string, args: readonly string[], cwd: string): Promise<Answer> {
  // A person's own settings of Terraform, and a file of settings that is not there, are not ours.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TF_')),
  )
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      cwd,
      env: { ...env, TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const parts: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.stderr.on('data', (part: Buffer) => parts.push(part))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output: Buffer.concat(parts).toString() }))
  })
}

/** The repository's own folder, where nothing is written. */
export const terraformFolder = join(dirname(fileURLToPath(import.meta.url)), '..')
