// Are lines the same however their bytes come?
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOf, maxLineBytes } from './lines.ts'

async function rowsOf(chunks: readonly Uint8Array[]): Promise<[number, string][]> {
  const rows: [number, string][] = []
  for await (const lines of linesOf(
    (async function* () {
      yield* chunks
    })(),
  )) {
    for (const { row, bytes } of lines) rows.push([row, Buffer.from(bytes).toString()])
  }
  return rows
}

test('linesOf - however the bytes are cut, a line is what stands between two line breaks', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'ü', '{', ' ', '\r'), maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.array(fc.nat(30)),
      fc.boolean(),
      async (lines, cuts, ends) => {
        const bytes = Buffer.from(lines.join('\n') + (ends ? '\n' : ''))
        const chunks: Uint8Array[] = []
        let start = 0
        for (const length of cuts) {
          chunks.push(bytes.subarray(start, start + length))
          start += length
        }
        chunks.push(bytes.subarray(start))
        const expected = lines
          .map((text, row): [number, string] => [row, text.replace(/[ \r]+$/, '')])
          .filter(([, text]) => text !== '')
        assert.deepEqual(await rowsOf(chunks), expected)
      },
    ),
    { seed: 20_260_301, numRuns: 500 },
  )
})

test('linesOf - of an endless line no more is held than shows that it is too long', async () => {
  const chunk = Buffer.alloc(maxLineBytes - 1, 'x')
  const rows = await rowsOf([chunk, chunk, chunk, Buffer.from('\n{}\n')])
  assert.deepEqual(
    rows.map(([row, text]) => [row, text.length]),
    [
      [0, maxLineBytes + 1],
      [1, 2],
    ],
  )
})
