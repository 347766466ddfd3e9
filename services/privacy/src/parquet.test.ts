// Does a Parquet file go on without a player, with all that others have in it?
import { openRowWriter, type Installation, type OutputColumn } from '@churnstream/batch'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { countInParquet, withoutInParquet, type Row } from './parquet.ts'

const folder = mkdtempSync(join(tmpdir(), 'churnstream-parquet-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const columns: readonly OutputColumn[] = [
  { name: 'player_id', type: 'text' },
  { name: 'score', type: 'double' },
  { name: 'row', type: 'integer' },
  { name: 'as_of', type: 'instant' },
]
const isTheirs = (row: Row): boolean => row['player_id'] === 'p-1'
const readObjects = async (file: string) =>
  parquetReadObjects({ file: await asyncBufferFromFile(file), compressors })

test('withoutInParquet - the rows of the player go, the others are read as before', async () => {
  const [from, to] = [join(folder, 'from.parquet'), join(folder, 'to.parquet')]
  await using writer = await openRowWriter(from, columns, {} as Installation)
  await writer.write(
    ['p-1', 'p-2', null, 'p-1', 'p-10'].map((player, at) => [player, at / 3, at, 1e12 + at]),
  )
  await writer.finish()
  const before = await readObjects(from)
  assert.equal(await countInParquet(from, isTheirs), 2)
  assert.deepEqual(await withoutInParquet(from, to, isTheirs), { removed: 2, kept: 3 })
  assert.deepEqual(
    await readObjects(to),
    before.filter((row) => row['player_id'] !== 'p-1'),
  )
  assert.equal(await countInParquet(to, isTheirs), 0)
})
