import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommand, usages, UsageError } from './arguments.ts'

const parse = (line: string) => parseCommand(line.split(' ').filter(Boolean))

test('parseCommand - every command has a help of its own, and help names none', () => {
  for (const name of Object.keys(usages)) {
    assert.deepEqual(parse(`${name} --help`).command, { command: 'help', of: name })
  }
  assert.deepEqual(parse('').command, { command: 'help', of: undefined })
  assert.deepEqual(parse('--help').command, { command: 'help', of: undefined })
})

test('parseCommand - promote takes a market, a version and how long to wait', () => {
  assert.deepEqual(parse('promote us-nj 7').command, {
    command: 'promote',
    model: 'us-nj',
    version: '7',
    force: false,
    waitMs: 30_000,
  })
  const { command, isJson, dataDir } = parse('promote us-nj 7 --no-wait --json --data-dir /d')
  assert.equal(command.command === 'promote' && command.waitMs, undefined)
  assert.deepEqual([isJson, dataDir], [true, '/d'])
  const { command: patient } = parse('promote us-nj 7 --wait 1.5m')
  assert.equal(patient.command === 'promote' && patient.waitMs, 90_000)
})

test('parseCommand - challenge and pin take a version or --off', () => {
  const off = { command: 'pin', model: 'gb', version: undefined, force: false, waitMs: 30_000 }
  assert.deepEqual(parse('pin gb --off').command, off)
  assert.throws(() => parse('pin gb'), /VERSION or --off is missing/)
  assert.throws(() => parse('challenge gb 3 --off'), /either 3 or --off, not both/)
})

test('parseCommand - what is missing, unknown or wrong is named, with the help of the command', () => {
  const wrong: [string, RegExp][] = [
    ['demote gb', /no command demote; there are: import, train/],
    ['promote gb', /promote: VERSION is missing\n\nnpm run model -- promote/],
    ['promote gb 1 2', /does not know what to do with 2/],
    ['promote gb 1 --fast', /Unknown option '--fast'/],
    ['promote gb 1 --wait soon', /--wait takes a time like 30s, 5m or 1h, not soon/],
    ['promote gb 1 --wait 3s --no-wait', /not both/],
    ['import --model m --sample s --market gb', /--columns is missing/],
    ['train --variant deep', /--market is missing/],
    ['retrain gb', /--why is missing/],
    ['retrain --why odd', /MARKET is missing/],
    ['train --market gb --seed many', /--seed takes a whole number/],
  ]
  for (const [line, message] of wrong) {
    assert.throws(
      () => parse(line),
      (error) => error instanceof UsageError && message.test(error.message),
    )
  }
})
