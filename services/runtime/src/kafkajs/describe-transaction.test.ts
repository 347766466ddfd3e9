import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeTransaction, type Encoder } from './describe-transaction.ts'

const ask = (id: string) => {
  const written: Buffer[] = []
  const encoder: Encoder = { writeBuffer: (buffer) => (written.push(buffer), encoder) }
  return { ...describeTransaction(id, () => encoder), written }
}

/** Header tags, throttle time, one state, its transactional id, the state's name, the rest. */
const answer = (errorCode: number, id: string, state: string): Buffer => {
  const head = Buffer.alloc(8)
  head[5] = 2
  head.writeInt16BE(errorCode, 6)
  const compact = (text: string) =>
    Buffer.concat([Buffer.from([text.length + 1]), Buffer.from(text)])
  return Buffer.concat([head, compact(id), compact(state), Buffer.alloc(26)])
}

test('describeTransaction - asks for one id, with the tagged fields of a flexible version', async () => {
  const { request, written } = ask('a.b')
  await request.encode()
  assert.deepEqual(Buffer.concat(written), Buffer.from([0, 2, 4, 97, 46, 98, 0]))
  assert.equal(request.apiKey, 65)
})

test('describeTransaction - reads the state, also behind an id that needs two bytes of length', async () => {
  const { response } = ask('x')
  const described = await response.decode(answer(0, 'short', 'CompleteCommit'))
  assert.equal(await response.parse(described), 'CompleteCommit')
  const id = 'x'.repeat(200)
  const body = answer(0, '', 'Ongoing')
  const long = Buffer.concat([
    body.subarray(0, 8),
    Buffer.from([(201 & 0x7f) | 0x80, 201 >> 7]),
    Buffer.from(id),
    body.subarray(9),
  ])
  assert.equal(await response.parse(await response.decode(long)), 'Ongoing')
})

test('describeTransaction - an id that nobody used has no state; other errors keep their type', async () => {
  const { response } = ask('x')
  assert.equal(await response.parse({ errorCode: 105, state: '' }), undefined)
  await assert.rejects(response.parse({ errorCode: 14, state: '' }), {
    type: 'GROUP_LOAD_IN_PROGRESS',
  })
})
