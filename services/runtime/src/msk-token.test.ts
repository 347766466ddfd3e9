// Is the token what AWS's own signer would make?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMskTokens, toMskToken } from './msk-token.ts'

const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: "FQoG+/=(session)*'!",
}
const at = new Date('2026-11-28T12:30:45Z')
const urlIn = (token: string): URL => new URL(Buffer.from(token, 'base64url').toString())

test("toMskToken - the signature is botocore's, of the same request", () => {
  const { host, searchParams } = urlIn(toMskToken('eu-west-1', credentials, at))
  assert.equal(host, 'kafka.eu-west-1.amazonaws.com')
  assert.deepEqual(Object.fromEntries(searchParams), {
    Action: 'kafka-cluster:Connect',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AKIDEXAMPLE/20261128/eu-west-1/kafka-cluster/aws4_request',
    'X-Amz-Date': '20261128T123045Z',
    'X-Amz-Expires': '900',
    'X-Amz-Security-Token': credentials.sessionToken,
    'X-Amz-SignedHeaders': 'host',
    // Made by SigV4QueryAuth of botocore 1.44.5, with these credentials at that time.
    'X-Amz-Signature': '3f8ce32996cc6d271c1ebda5d06a6a5bc9c9f4fed1cbcb4abda992cd7a0783f9',
    'User-Agent': 'churnstream',
  })
})

test('toMskToken - keys that belong to no session name none', () => {
  const { accessKeyId, secretAccessKey } = credentials
  const { searchParams } = urlIn(toMskToken('eu-west-1', { accessKeyId, secretAccessKey }, at))
  assert.equal(searchParams.has('X-Amz-Security-Token'), false)
})

test('createMskTokens - every connection shows the keys of its day', async () => {
  let day = 0
  const tokens = createMskTokens('eu-west-1', async () => {
    day += 1
    return { ...credentials, accessKeyId: `DAY${day}` }
  })
  const keyOf = async () => urlIn((await tokens()).value).searchParams.get('X-Amz-Credential')
  assert.match((await keyOf()) ?? '', /^DAY1\//)
  assert.match((await keyOf()) ?? '', /^DAY2\//)
})
