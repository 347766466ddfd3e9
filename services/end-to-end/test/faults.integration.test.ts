// Is nothing lost, repeated or wrong when things break, and would we see it if something were?
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { faultCases } from '../faults/cases.ts'
import type { LabOptions } from '../faults/lab.ts'
import { mutations, runMutation } from '../faults/mutations.ts'
import { runFaults } from '../faults/run.ts'

async function inLab<T>(work: (options: LabOptions) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-faults-'))
  try {
    return await work({
      dataDir,
      ratePerSecond: 400,
      seed: 1,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    })
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

test('faults - the short run loses nothing, repeats nothing and gets nothing wrong', async () => {
  const short = faultCases.filter(({ isShort }) => isShort)
  const { breaches, cases } = await inLab((options) => runFaults(short, options))
  assert.deepEqual(breaches, [])
  assert.equal(cases.length, short.length)
  for (const { fault, events, secondsToCatchUp } of cases) {
    assert.ok(events >= 500, `${fault}: ${events} events`)
    assert.ok(secondsToCatchUp !== null, `${fault}: it did not catch up`)
  }
})

for (const mutation of mutations.filter(({ isShort }) => isShort)) {
  test(`mutation - it is seen when ${mutation.name}`, async () => {
    const { red, seenAs } = await inLab((options) => runMutation(mutation, options))
    assert.ok(red, seenAs)
  })
}
