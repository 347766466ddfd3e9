// Is every error of the database laid at the right door?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { troubleOf, type Trouble } from './trouble.ts'

const cases: [string, unknown, Trouble][] = [
  ['NUL in a text', { code: '22021' }, 'data'],
  ['a timestamp out of range', { code: '22008' }, 'data'],
  ['not null', { code: '23502' }, 'data'],
  ['admin shutdown', { code: '57P01' }, 'transient'],
  ['starting up', { code: '57P03' }, 'transient'],
  ['statement timeout', { code: '57014' }, 'transient'],
  ['deadlock', { code: '40P01' }, 'transient'],
  ['serialization', { code: '40001' }, 'transient'],
  ['too many connections', { code: '53300' }, 'transient'],
  ['disk full', { code: '53100' }, 'transient'],
  ['connection failure', { code: '08006' }, 'transient'],
  ['a standby', { code: '25006' }, 'transient'],
  ['nobody listens', { code: 'ECONNREFUSED' }, 'transient'],
  ['a name that does not resolve', { code: 'ENOTFOUND' }, 'transient'],
  ['a connection that ended', new Error('Connection terminated unexpectedly'), 'transient'],
  ['no free connection', new Error('timeout exceeded when trying to connect'), 'transient'],
  ['a silent server', new Error('Query read timeout'), 'transient'],
  ['a wrong password', { code: '28P01' }, 'fatal'],
  ['no such database', { code: '3D000' }, 'fatal'],
  ['no such table', { code: '42P01' }, 'fatal'],
  ['a bug', new TypeError('timeout is undefined'), 'fatal'],
  ['nothing', undefined, 'fatal'],
]

for (const [what, error, expected] of cases) {
  test(`troubleOf - ${what} is ${expected}`, () => assert.equal(troubleOf(error), expected))
}
