// Is a token used while it is good, and no longer?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransientError } from '../errors.ts'
import { createMskTokens, type AwsCredentials } from './msk-token.ts'

const minute = 60_000
const startsAt = Date.UTC(2026, 10, 1)
const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'an example of a secret' }

function rig(credentials: AwsCredentials = keys) {
  let nowMs = startsAt
  let asked = 0
  const tokens = createMskTokens({
    region: 'eu-west-1',
    credentials: async () => {
      asked++
      return credentials
    },
    now: () => nowMs,
  })
  return {
    tokens,
    asked: () => asked,
    pass: (ms: number) => void (nowMs += ms),
  }
}

const parametersOf = (token: string) => new URL(Buffer.from(token, 'base64url').toString())

test('createMskTokens - a signed address of the cluster service, good for fifteen minutes', async () => {
  const session = { ...keys, sessionToken: 'a session' }
  const { hostname, searchParams } = parametersOf(await rig(session).tokens())
  assert.equal(hostname, 'kafka.eu-west-1.amazonaws.com')
  assert.equal(searchParams.get('Action'), 'kafka-cluster:Connect')
  assert.equal(searchParams.get('X-Amz-Expires'), '900')
  assert.equal(searchParams.get('X-Amz-Date'), '20261101T000000Z')
  assert.equal(searchParams.get('X-Amz-Security-Token'), 'a session')
  assert.equal(searchParams.get('X-Amz-SignedHeaders'), 'host')
  assert.equal(
    searchParams.get('X-Amz-Credential'),
    'AKIDEXAMPLE/20261101/eu-west-1/kafka-cluster/aws4_request',
  )
  // As botocore's SigV4QueryAuth signs the same.
  assert.equal(
    searchParams.get('X-Amz-Signature'),
    '64bc772ab5341aad2b57f9167027542ef6e39b3717b207f612e39535981e84d7',
  )
  assert.ok(!parametersOf(await rig().tokens()).href.includes(keys.secretAccessKey))
})

test('createMskTokens - the same token for nine minutes less a margin, then another', async () => {
  const { tokens, asked, pass } = rig()
  const first = await tokens()
  pass(8 * minute)
  assert.equal(await tokens(), first)
  assert.equal(asked(), 1)
  pass(minute - 30_000)
  assert.notEqual(await tokens(), first)
  assert.equal(asked(), 2)
})

test('createMskTokens - no longer than what it is signed with', async () => {
  const { tokens, pass } = rig({ ...keys, expiration: new Date(startsAt + 3 * minute) })
  const first = await tokens()
  pass(2 * minute)
  assert.equal(await tokens(), first)
  pass(minute)
  assert.notEqual(await tokens(), first)
})

test('createMskTokens - who asks at the same time gets the same', async () => {
  const { tokens, asked } = rig()
  const [first, second] = await Promise.all([tokens(), tokens()])
  assert.equal(first, second)
  assert.equal(asked(), 1)
})

test('createMskTokens - credentials that fail or never come are trouble, and are asked for again', async () => {
  let answers = 0
  const tokens = createMskTokens({
    region: 'eu-west-1',
    credentials: () => {
      answers++
      if (answers === 1) return Promise.reject(new Error('no role'))
      return answers === 2 ? new Promise(() => undefined) : Promise.resolve(keys)
    },
    now: () => startsAt,
    waitMs: 20,
  })
  await assert.rejects(tokens(), TransientError)
  await assert.rejects(tokens(), TransientError)
  assert.ok((await tokens()).length > 100)
})
