// What becomes of a webhook delivery?
import { messageOf, type Log, type Routes } from '@churnstream/runtime'
import { z } from 'zod'
import { verify, type DeliveryHeaders, type SignatureRules } from './signature.ts'
import { isTrouble } from './trouble.ts'

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, string>>
}

export interface DeliveriesOptions extends SignatureRules {
  readonly namePrefix: string
  readonly now: () => number
  /** Resolves once Kafka has what MLflow says of this model. */
  readonly reconcile: (modelName: string) => Promise<void>
  /** A bug: answered with 500, and the process must end. */
  readonly onFatal: (error: unknown) => void
  readonly onResult: (result: string) => void
  readonly log: Log
}

export const webhookPath = '/webhooks/mlflow'

const bodyLimitBytes = 1 << 20
const rememberedIds = 4_096
/** Below MLflow's own limit of 30 s, after which it would repeat what is still being worked on. */
const answerWithinMs = 20_000

const delivery = z.object({
  entity: z.string(),
  action: z.string(),
  data: z.object({ name: z.string().optional() }),
})

/** Answers one delivery: 2xx only when there is nothing left that a repetition could do. */
export function createDeliveries(
  options: DeliveriesOptions,
): (headers: DeliveryHeaders, body: Buffer) => Promise<Answer> {
  const { log, onResult } = options
  // In order of age, for a Set keeps that.
  const done = new Set<string>()
  const underWay = new Map<string, Promise<Answer>>()

  return async (headers, body) => {
    const verified = verify(headers, body, options.now(), options)
    if ('forgery' in verified) return refuse(verified.forgery)
    const { deliveryId } = verified
    if (done.has(deliveryId)) {
      onResult('repeated')
      return { status: 200, body: { result: 'repeated' } }
    }
    let answer = underWay.get(deliveryId)
    if (answer === undefined) {
      answer = work(body).finally(() => underWay.delete(deliveryId))
      underWay.set(deliveryId, answer)
    }
    const given = await answer
    // Only now: a delivery that failed must be worked on when it comes again.
    if (given.status === 200) remember(deliveryId)
    return given
  }

  function refuse(reason: string): Answer {
    onResult(reason)
    log.warn({ reason }, 'a webhook delivery is refused')
    return { status: reason === 'malformed' ? 400 : 401, body: { error: reason } }
  }

  async function work(body: Buffer): Promise<Answer> {
    const parsed = parse(body)
    if (parsed === undefined) return refuse('malformed')
    const { entity, action, data } = parsed
    const event = `${entity}.${action}`
    // A hint that something changed, no more: what it says is read from MLflow.
    if (data.name === undefined || !data.name.startsWith(options.namePrefix)) {
      onResult('ignored')
      return { status: 200, body: { result: 'ignored' } }
    }
    const tooSlow = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => tooSlow.reject(new TooSlow(`not done within ${answerWithinMs} ms`)),
      answerWithinMs,
    )
    try {
      await Promise.race([options.reconcile(data.name), tooSlow.promise])
    } catch (error) {
      onResult('failed')
      if (isTrouble(error) || error instanceof TooSlow) {
        log.warn({ event, reason: messageOf(error) }, 'MLflow is asked to deliver again')
        return { status: 503, body: { error: 'not-done', action: 'deliver it again' } }
      }
      options.onFatal(error)
      return { status: 500, body: { error: 'internal' } }
    } finally {
      clearTimeout(timer)
    }
    onResult('accepted')
    return { status: 200, body: { result: 'accepted' } }
  }

  function remember(deliveryId: string): void {
    done.add(deliveryId)
    for (const oldest of done) {
      if (done.size <= rememberedIds) break
      done.delete(oldest)
    }
  }
}

class TooSlow extends Error {}

function parse(body: Buffer): z.output<typeof delivery> | undefined {
  try {
    return delivery.parse(JSON.parse(body.toString()))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw error
  }
}

/** POST only, raw bytes whatever the content type, never a redirect. */
export function webhookRoutes(
  receive: (headers: DeliveryHeaders, body: Buffer) => Promise<Answer>,
  onResult: (result: string) => void,
): Routes {
  return (app) => {
    // In a scope of its own, so that the other routes keep their parsers.
    app.register(async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser(
        '*',
        { parseAs: 'buffer', bodyLimit: bodyLimitBytes },
        (_request, body, parsed) => parsed(null, body),
      )
      scope.setErrorHandler(async (error: { statusCode?: number }, _request, reply) => {
        const { statusCode = 500 } = error
        onResult(statusCode === 413 ? 'too-large' : 'unreadable')
        return reply
          .code(statusCode)
          .send({ error: statusCode === 413 ? 'too-large' : 'unreadable' })
      })
      scope.post(webhookPath, async ({ headers, body }, reply) => {
        const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
        const { status, body: answer } = await receive(headers, bytes)
        return reply.code(status).send(answer)
      })
      scope.route({
        method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
        url: webhookPath,
        handler: async (_request, reply) =>
          reply.code(405).header('allow', 'POST').send({ error: 'method-not-allowed' }),
      })
    })
  }
}
