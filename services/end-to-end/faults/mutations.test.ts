// Can every mutation still be made?
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { faultCases } from './cases.ts'
import { mutations } from './mutations.ts'

test('mutations - what each changes stands once in the code, and its fault is played', () => {
  const faults = new Set(faultCases.map(({ name }) => name))
  for (const { name, fault, changes } of mutations) {
    assert.ok(faults.has(fault), `${name}: there is no fault ${fault}`)
    for (const { file, from } of changes) {
      const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')
      assert.equal(text.split(from).length - 1, 1, `${name}: ${file} holds ${from}`)
    }
  }
})
