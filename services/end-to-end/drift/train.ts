// Makes drift/model anew: node services/end-to-end/drift/train.ts. Needed when features change.
import { findPython, venvPython } from '@churnstream/topology/local'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { modelFolder } from './model.ts'
import { trainingRows } from './training-rows.ts'

const training = fileURLToPath(new URL('../../training/', import.meta.url))
const script = fileURLToPath(new URL('train_model.py', import.meta.url))

const python = await findPython()
if (python.python === undefined) throw new Error('no Python: run npm test once, it sets one up')
const folder = mkdtempSync(join(tmpdir(), 'churnstream-drift-'))
try {
  const rows = join(folder, 'rows.csv')
  writeFileSync(rows, [...trainingRows()].join('\n'))
  const env = { ...process.env, PYTHONPATH: training }
  const { status } = spawnSync(venvPython(python.version), [script, rows, modelFolder], {
    env,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
