// Does a registry that is there and does not answer end in an error that may be tried again?
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { Decoder, RegistryUnavailable, Schemas } from './index.ts'
import { schemaText } from './records.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const silent: Answer = () => undefined
const broken: Answer = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
  response.write('{"compat', () => response.socket?.destroy())
}
const known: Answer = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ schema: schemaText('churn-score') }))
}

async function withRegistry(
  answers: Answer[],
  body: (schemas: Schemas) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => answers.shift()?.(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  try {
    await body(new Schemas({ url: `http://127.0.0.1:${port}`, answerWithinMs: 200 }))
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

for (const [how, answer] of Object.entries({ silent, broken })) {
  test(`Schemas.register - an answer that is ${how} is a registry that is away`, () =>
    withRegistry([answer], async (schemas) => {
      await assert.rejects(schemas.register('churn-score', 'scores'), RegistryUnavailable)
    }))

  test(`Schemas.prepare - after an answer that was ${how} the schema is asked for again`, () =>
    withRegistry([answer, known], async (schemas) => {
      const decoder = new Decoder('churn-score')
      const value = Buffer.from([0, 0, 0, 0, 7])
      await assert.rejects(schemas.prepare(decoder, [value]), RegistryUnavailable)
      await schemas.prepare(decoder, [value])
      assert.ok(decoder.knows(7))
    }))
}
