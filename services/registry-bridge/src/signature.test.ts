// Is a delivery believed exactly when MLflow made it, and lately?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sign, verify } from './signature.ts'

const secret = 'test-secret'
const deliveryId = '5f0c2b1e-0000-4000-8000-000000000001'
const timestamp = '1795420800'
const body = Buffer.from(
  '{"entity": "model_version", "action": "created", "timestamp": "2026-11-23T08:00:00.000000+00:00", "data": {"name": "churn-au-nsw", "version": "7", "source": "models:/m-0123456789abcdef0123456789abcdef", "run_id": null, "tags": {"geo": "NSW"}, "description": null}}',
)
const nowMs = Number(timestamp) * 1_000
const rules = { secrets: [secret], windowMs: 900_000 }
const headers = {
  'x-mlflow-delivery-id': deliveryId,
  'x-mlflow-timestamp': timestamp,
  'x-mlflow-signature': 'v1,nSUCTVpQscB+5BCf5cbAkIWTKy9kQ8GJrLqdd/KYLhk=',
}

test("sign - agrees with MLflow's own", () => {
  assert.equal(sign(secret, deliveryId, timestamp, body), headers['x-mlflow-signature'])
})

test('verify - what MLflow made is believed, with any of the secrets', () => {
  assert.deepEqual(verify(headers, body, nowMs, rules), { deliveryId })
  const rotated = { ...rules, secrets: ['newer', secret] }
  assert.deepEqual(verify(headers, body, nowMs, rotated), { deliveryId })
})

test('verify - each header is needed', () => {
  for (const header of Object.keys(headers)) {
    const without = { ...headers, [header]: undefined }
    assert.deepEqual(verify(without, body, nowMs, rules), { forgery: 'missing-signature' })
    const twice = { ...headers, [header]: ['a', 'b'] }
    assert.deepEqual(verify(twice, body, nowMs, rules), { forgery: 'missing-signature' })
  }
})

test('verify - another secret, body, id, time or version of the scheme is a forgery', () => {
  const forged = { forgery: 'bad-signature' }
  assert.deepEqual(verify(headers, body, nowMs, { ...rules, secrets: ['other'] }), forged)
  assert.deepEqual(verify(headers, body, nowMs, { ...rules, secrets: [] }), forged)
  assert.deepEqual(verify(headers, Buffer.concat([body, Buffer.from(' ')]), nowMs, rules), forged)
  const changes = [
    { 'x-mlflow-delivery-id': 'other' },
    { 'x-mlflow-timestamp': '1795420801' },
    { 'x-mlflow-signature': '' },
    { 'x-mlflow-signature': headers['x-mlflow-signature'].replace('v1,', 'v2,') },
    { 'x-mlflow-signature': headers['x-mlflow-signature'].slice(3) },
  ]
  for (const change of changes) {
    assert.deepEqual(verify({ ...headers, ...change }, body, nowMs, rules), forged)
  }
})

test('verify - too old and from the future, with the window on both sides', () => {
  const { windowMs } = rules
  assert.deepEqual(verify(headers, body, nowMs + windowMs, rules), { deliveryId })
  assert.deepEqual(verify(headers, body, nowMs + windowMs + 1, rules), { forgery: 'too-old' })
  assert.deepEqual(verify(headers, body, nowMs - windowMs, rules), { deliveryId })
  const early = verify(headers, body, nowMs - windowMs - 1, rules)
  assert.deepEqual(early, { forgery: 'from-the-future' })
})

test('verify - a signed time that is no time is malformed', () => {
  for (const odd of ['', 'soon', '-5', '1e9', '17954208001795420800']) {
    const signed = {
      ...headers,
      'x-mlflow-timestamp': odd,
      'x-mlflow-signature': sign(secret, deliveryId, odd, body),
    }
    assert.deepEqual(verify(signed, body, nowMs, rules), { forgery: 'malformed' })
  }
})
