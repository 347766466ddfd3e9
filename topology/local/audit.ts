// npm run audit: does anybody know of a weakness in the packages that we use?
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { npmFindings, pythonFindings, type Findings } from './audit-answers.ts'
import { findPython, repositoryDir, venvPython } from './places.mjs'

const pythonFolders = ['training', 'orchestration'] as const
/** As of other commands here: the same may answer later. */
const notAnswered = 75
const timeoutMs = 300_000

const answers = new Map<string, Findings>()
answers.set('npm', npmFindings(await outputOf('npm', ['audit', '--omit=dev', '--json'])))
const folder = mkdtempSync(join(tmpdir(), 'churnstream-audit-'))
try {
  const base = await findPython()
  if (!base.python) throw new Error('there is no Python')
  const python = venvPython(base.version)
  // Its own packages would otherwise be among those that it looks at.
  const install = ['-m', 'pip', 'install', '--quiet', '--target', folder, 'pip-audit']
  await outputOf(python, install)
  for (const name of pythonFolders) {
    const file = join(repositoryDir, 'services', name, 'requirements.txt')
    const how = ['--disable-pip', '--require-hashes', '--progress-spinner', 'off', '-f', 'json']
    const args = ['-m', 'pip_audit', '-r', file, ...how]
    answers.set(name, pythonFindings(await outputOf(python, args, { PYTHONPATH: folder })))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

for (const [what, { found, unchecked }] of answers) {
  for (const line of found) console.log(`${what}: ${line}`)
  if (unchecked !== undefined) console.log(`${what}: NOT CHECKED, ${unchecked}`)
  else if (found.length === 0) console.log(`${what}: nothing is known`)
}
const all = [...answers.values()]
if (all.some(({ found }) => found.length > 0)) process.exitCode = 1
else if (all.some(({ unchecked }) => unchecked !== undefined)) process.exitCode = notAnswered

/** What it writes, however it ends: both say by their exit that something was found. */
function outputOf(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve) => {
    const options = {
      cwd: repositoryDir,
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      maxBuffer: 1 << 26,
    }
    execFile(command, [...args], options, (_error, stdout) => resolve(stdout))
  })
}
