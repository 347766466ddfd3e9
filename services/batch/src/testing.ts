// What do the tests of batches share? A real model, and files that are made and read.
import type { Column } from '@churnstream/schemas/model'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { planRows } from './core/row-plan.ts'
import { openInputs, type InputFile } from './inputs.ts'
import { openInstallation, type Installation } from './installation.ts'
import type { PinnedModel } from './model.ts'
import { openRows } from './rows.ts'
import type { Rows, Wanted } from './row-batch.ts'
import { scoreRows, type ScoredPart, type ScoreSettings } from './score-rows.ts'
import { SeenKeys } from './seen-keys.ts'

/** The folder of a version with every gate passed: 45 columns of the catalogue. */
export const modelFolder = fileURLToPath(new URL('../../end-to-end/golden/model', import.meta.url))
export const modelColumns = JSON.parse(
  readFileSync(join(modelFolder, 'columns.json'), 'utf8'),
) as string[]

/** The same seven rows in every shape that pandas writes; see make_rows.py beside them. */
export const rowFile = (name: string): string =>
  fileURLToPath(new URL(`../test/files/${name}`, import.meta.url))

/** With no server in it. */
export const nowhere = (): Installation => openInstallation({}, join(tmpdir(), 'no-such-demo'))

/** Deleted after the test. */
export function scratchOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'churnstream-test-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function write(folder: string, name: string, content: string | Uint8Array): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

/** With the digest that is taken of every file. */
export async function inputOf(path: string): Promise<InputFile> {
  await using inputs = await openInputs(path, nowhere())
  return inputs.files[0] as InputFile
}

export const wantedOf = (names: readonly string[]): Wanted => ({
  columns: names,
  expected: new Set([...names, 'market', 'first_product', 'acquisition_source']),
  isEnough: (found) => planRows(toColumns(names), found, false).missing.length === 0,
})

export const toColumns = (names: readonly string[]): Column[] => names.map((name) => ({ name }))

export const openFile = async (path: string, names: readonly string[]): Promise<Rows> =>
  openRows(await inputOf(path), wantedOf(names))

/** Keeps the rows that it is given, and answers with the first cell of each as its score. */
export function recordingModel(columns: readonly Column[]) {
  const given: Float32Array[] = []
  const model: PinnedModel = {
    name: 'recording',
    version: '1',
    uri: 'recording',
    columns,
    async score(rows) {
      given.push(rows)
      const width = columns.length
      return Float32Array.from(
        { length: rows.length / width },
        (_, row) => rows[row * width] ?? NaN,
      )
    },
    confirm: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const cells = (): number[] => given.flatMap((rows) => [...rows])
  return { model, cells }
}

export const usualSettings: ScoreSettings = { asOf: undefined, market: undefined, needsKeys: false }

/** All parts of a file as one. */
export async function scoreFile(
  path: string,
  model: PinnedModel,
  settings: ScoreSettings = usualSettings,
): Promise<ScoredPart> {
  const names = model.columns.map(({ name }) => name)
  const rows = await openFile(path, names)
  const plan = planRows(model.columns, rows.names, settings.market !== undefined)
  const all = { rowsIn: 0, scores: [], rejects: [] } as {
    rowsIn: number
    scores: ScoredPart['scores'][number][]
    rejects: ScoredPart['rejects'][number][]
  }
  const source = path
  const seen = new SeenKeys()
  for await (const part of scoreRows({ model, source, rows, plan, settings, seen })) {
    all.rowsIn += part.rowsIn
    all.scores.push(...part.scores)
    all.rejects.push(...part.rejects)
  }
  return all
}
