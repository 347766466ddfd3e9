// Is what was not asked told apart from what is well?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { npmFindings, pythonFindings } from './audit-answers.ts'

const text = (value: unknown): string => JSON.stringify(value)

test('npmFindings - a weakness, nothing, and a registry that does not answer', () => {
  const one = { vulnerabilities: { left: { severity: 'high', range: '<1.2' } } }
  assert.deepEqual(npmFindings(text(one)), { found: ['left <1.2: high'] })
  assert.deepEqual(npmFindings(text({ vulnerabilities: {} })), { found: [] })
  const refused = { message: '405 Method Not Allowed - POST somewhere', statusCode: 405 }
  assert.deepEqual(npmFindings(text(refused)), {
    found: [],
    unchecked: '405 Method Not Allowed',
  })
  assert.equal(npmFindings('').unchecked, 'npm gave no answer')
})

test('pythonFindings - packages that the index does not know of are not well', () => {
  const well = { name: 'left', version: '1.2', vulns: [] }
  const weak = { ...well, vulns: [{ id: 'PYSEC-1', fix_versions: ['1.3'] }] }
  const skipped = { name: 'right', skip_reason: 'not found' }
  assert.deepEqual(pythonFindings(text({ dependencies: [well] })), { found: [] })
  assert.deepEqual(pythonFindings(text({ dependencies: [weak] })), {
    found: ['left 1.2: PYSEC-1, mended in 1.3'],
  })
  assert.match(pythonFindings(text({ dependencies: [well, skipped] })).unchecked ?? '', /1 of 2/)
  assert.equal(pythonFindings('No module named pip_audit').unchecked, 'pip-audit gave no answer')
})
