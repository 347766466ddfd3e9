// What can be asked of MLflow's model registry, and told to it?
import { TransientError } from '@churnstream/runtime'
import { z } from 'zod'

export interface RegisteredModel {
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  /** Alias to version. */
  readonly aliases: Readonly<Record<string, string>>
}

export interface ModelVersion {
  readonly name: string
  readonly version: string
  readonly runId: string | undefined
  /** Of the logged model (`m-…`) that the version was registered from. */
  readonly modelId: string | undefined
  readonly source: string
  readonly description: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly tags: Readonly<Record<string, string>>
  readonly aliases: readonly string[]
}

export interface WebhookSettings {
  readonly name: string
  readonly url: string
  /** `<entity>.<action>`, for example `model_version_alias.created`. */
  readonly events: readonly string[]
  readonly status: 'ACTIVE' | 'DISABLED'
}

/** The secret is never told. */
export interface Webhook extends WebhookSettings {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/**
 * MLflow's REST API 2.0. Every call
 * @throws TransientError when MLflow is away, overloaded or answers oddly
 * @throws MlflowRefused when it says that the request can't be done
 */
export interface Mlflow {
  /** Every registered model whose name has the prefix. */
  models(namePrefix: string): Promise<RegisteredModel[]>
  /** undefined: no such model. */
  model(name: string): Promise<RegisteredModel | undefined>
  /** undefined: no such version. */
  version(name: string, version: string): Promise<ModelVersion | undefined>
  /** Newest first. */
  versions(name: string): Promise<ModelVersion[]>
  /** Where the files of a version are, for example s3://bucket/1/models/m-…/artifacts. */
  artifactLocation(name: string, version: string): Promise<string>
  setAlias(name: string, alias: string, version: string): Promise<void>
  /** Fine when it is absent. */
  deleteAlias(name: string, alias: string): Promise<void>
  setVersionTags(
    name: string,
    version: string,
    tags: Readonly<Record<string, string>>,
  ): Promise<void>
  /** Fine when it is absent. */
  deleteVersionTag(name: string, version: string, key: string): Promise<void>
  setModelTag(name: string, key: string, value: string): Promise<void>
  /** Fine when it is absent. */
  deleteModelTag(name: string, key: string): Promise<void>
  /** Finite values of one step, on a run and, with a model id, on its logged model too. */
  logMetrics(
    runId: string,
    metrics: Readonly<Record<string, number>>,
    options: {
      readonly modelId?: string | undefined
      readonly step: number
      readonly atMs: number
    },
  ): Promise<void>
  webhooks(): Promise<Webhook[]>
  createWebhook(settings: WebhookSettings & { readonly secret: string }): Promise<Webhook>
  updateWebhook(
    id: string,
    settings: Partial<WebhookSettings & { readonly secret: string }>,
  ): Promise<void>
  deleteWebhook(id: string): Promise<void>
}

/** MLflow understood, and will answer the same again: something that was named isn't there or isn't allowed. */
export class MlflowRefused extends Error {
  override name = 'MlflowRefused'
  /** MLflow's own, for example RESOURCE_DOES_NOT_EXIST, or `HTTP <status>` where it gave none. */
  readonly code: string
  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

export const isMissing = (error: unknown): boolean =>
  error instanceof MlflowRefused &&
  (error.code === 'RESOURCE_DOES_NOT_EXIST' || error.code === 'NOT_FOUND')

const tags = z
  .array(z.object({ key: z.string(), value: z.string().default('') }))
  .default([])
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, value])))
const registeredModel = z
  .object({
    name: z.string(),
    tags,
    aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
  })
  .transform(({ aliases, ...rest }) => ({
    ...rest,
    aliases: Object.fromEntries(aliases.map(({ alias, version }) => [alias, version])),
  }))
const modelVersion = z
  .object({
    name: z.string(),
    version: z.string(),
    run_id: z.string().optional(),
    model_id: z.string().optional(),
    source: z.string().default(''),
    description: z.string().default(''),
    creation_timestamp: z.number(),
    tags,
    aliases: z.array(z.string()).default([]),
  })
  .transform(({ run_id, model_id, creation_timestamp, ...rest }) => ({
    ...rest,
    runId: run_id || undefined,
    modelId: model_id || /^models:\/(m-[0-9a-f]+)$/.exec(rest.source)?.[1],
    createdAt: creation_timestamp,
  }))
const webhook = z
  .object({
    webhook_id: z.string(),
    name: z.string(),
    url: z.string(),
    events: z.array(z.object({ entity: z.string(), action: z.string() })),
    status: z.enum(['ACTIVE', 'DISABLED']),
    creation_timestamp: z.number().default(0),
  })
  .transform(({ webhook_id, creation_timestamp, events, ...rest }) => ({
    ...rest,
    id: webhook_id,
    events: events.map(({ entity, action }) => `${entity}.${action}`.toLowerCase()),
    createdAt: creation_timestamp,
  }))
const next_page_token = z.string().optional()
const modelsPage = z.object({
  registered_models: z.array(registeredModel).default([]),
  next_page_token,
})
const versionsPage = z.object({
  model_versions: z.array(modelVersion).default([]),
  next_page_token,
})
const webhooksPage = z.object({ webhooks: z.array(webhook).default([]), next_page_token })
const refusal = z.object({ error_code: z.string(), message: z.string().default('') })

const timeoutMs = 10_000
/** What MLflow numbers versions with; anything else can't be one. */
const versionNumber = /^[1-9]\d{0,8}$/

/** Connects nothing yet. Name and password are for a server with basic authentication. */
export function createMlflow(
  trackingUri: string,
  options: { readonly username?: string | undefined; readonly password?: string | undefined } = {},
): Mlflow {
  const base = `${trackingUri.replace(/\/+$/, '')}/api/2.0/mlflow`
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (options.username !== undefined) {
    const pair = Buffer.from(`${options.username}:${options.password ?? ''}`)
    headers['authorization'] = `Basic ${pair.toString('base64')}`
  }

  async function call<T extends z.ZodType>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    content: Readonly<Record<string, unknown>>,
    answer: T,
  ): Promise<z.output<T>> {
    const query = new URLSearchParams(content as Record<string, string>).toString()
    const attempted = `asking MLflow to ${method} ${path}`
    let status: number
    let text: string
    try {
      const response = await fetch(
        method === 'GET' ? `${base}/${path}?${query}` : `${base}/${path}`,
        {
          method,
          headers,
          ...(method === 'GET' ? {} : { body: JSON.stringify(content) }),
          // A redirected write would arrive as a GET.
          redirect: 'error',
          signal: AbortSignal.timeout(timeoutMs),
        },
      )
      status = response.status
      text = await response.text()
    } catch (error) {
      throw new TransientError(attempted, { cause: error })
    }
    const body = parseJson(text)
    if (status >= 200 && status < 300) {
      const parsed = answer.safeParse(body)
      if (parsed.success) return parsed.data
      throw new TransientError(`${attempted}: its answer is not as expected`, {
        cause: parsed.error,
      })
    }
    const refused = refusal.safeParse(body)
    const detail = refused.success ? refused.data.message : text
    const message = `${attempted}: ${status} ${detail.slice(0, 300)}`
    if (status < 400 || status >= 500 || status === 429 || status === 408) {
      throw new TransientError(message)
    }
    throw new MlflowRefused(message, refused.success ? refused.data.error_code : `HTTP ${status}`)
  }

  const tell = async (
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    content: Readonly<Record<string, unknown>>,
  ): Promise<void> => void (await call(method, path, content, z.unknown()))

  async function pages<P extends { next_page_token?: string | undefined }, I>(
    path: string,
    query: Record<string, string>,
    answer: z.ZodType<P>,
    items: (page: P) => I[],
  ): Promise<I[]> {
    const found: I[] = []
    let token: string | undefined
    do {
      const page = await call(
        'GET',
        path,
        { ...query, ...(token ? { page_token: token } : {}) },
        answer,
      )
      found.push(...items(page))
      token = page.next_page_token
    } while (token)
    return found
  }

  const mlflow: Mlflow = {
    async models(namePrefix) {
      const query = { max_results: '100' }
      const all = await pages(
        'registered-models/search',
        query,
        modelsPage,
        (page) => page.registered_models,
      )
      return all.filter(({ name }) => name.startsWith(namePrefix))
    },

    async model(name) {
      const answer = z.object({ registered_model: registeredModel })
      const found = await orMissing(call('GET', 'registered-models/get', { name }, answer))
      return found?.registered_model
    },

    async version(name, version) {
      if (!versionNumber.test(version)) return undefined
      const answer = z.object({ model_version: modelVersion })
      const found = await orMissing(call('GET', 'model-versions/get', { name, version }, answer))
      return found?.model_version
    },

    async versions(name) {
      const found = await pages(
        'model-versions/search',
        { filter: `name=${quoted(name)}`, max_results: '1000' },
        versionsPage,
        (page) => page.model_versions,
      )
      // The search leaves aliases out.
      const { aliases = {} } = (await mlflow.model(name)) ?? {}
      return found
        .map((version) => ({
          ...version,
          aliases: Object.keys(aliases).filter((alias) => aliases[alias] === version.version),
        }))
        .toSorted((a, b) => Number(b.version) - Number(a.version))
    },

    async artifactLocation(name, version) {
      const answer = z.object({ artifact_uri: z.string() })
      const query = { name, version }
      return (await call('GET', 'model-versions/get-download-uri', query, answer)).artifact_uri
    },

    setAlias: (name, alias, version) =>
      tell('POST', 'registered-models/alias', { name, alias, version }),
    deleteAlias: (name, alias) => tell('DELETE', 'registered-models/alias', { name, alias }),

    async setVersionTags(name, version, tags) {
      for (const [key, value] of Object.entries(tags)) {
        await tell('POST', 'model-versions/set-tag', { name, version, key, value })
      }
    },
    deleteVersionTag: (name, version, key) =>
      tell('DELETE', 'model-versions/delete-tag', { name, version, key }),
    setModelTag: (name, key, value) =>
      tell('POST', 'registered-models/set-tag', { name, key, value }),
    deleteModelTag: (name, key) => tell('DELETE', 'registered-models/delete-tag', { name, key }),

    async logMetrics(runId, metrics, { modelId, step, atMs }) {
      await tell('POST', 'runs/log-batch', {
        run_id: runId,
        metrics: Object.entries(metrics).map(([key, value]) => ({
          key,
          value,
          timestamp: atMs,
          step,
          ...(modelId === undefined ? {} : { model_id: modelId }),
        })),
      })
    },

    webhooks: () =>
      pages('webhooks', { max_results: '100' }, webhooksPage, (page) => page.webhooks),
    async createWebhook(settings) {
      const answer = z.object({ webhook })
      return (await call('POST', 'webhooks', toRequest(settings), answer)).webhook
    },
    updateWebhook: (id, settings) => tell('PATCH', `webhooks/${id}`, toRequest(settings)),
    deleteWebhook: (id) => tell('DELETE', `webhooks/${id}`, {}),
  }
  return mlflow
}

/** Upper case: MLflow answers 500 to the lower case that it sends itself. */
function toRequest(settings: Partial<WebhookSettings>): Record<string, unknown> {
  const { events, ...rest } = settings
  if (events === undefined) return rest
  const upper = events.map((event) => {
    const [entity, action] = event.toUpperCase().split('.')
    return { entity, action }
  })
  return { ...rest, events: upper }
}

const quoted = (name: string): string => (name.includes("'") ? `"${name}"` : `'${name}'`)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // An error page of a proxy, for example; what was expected is said by whoever validates.
    return undefined
  }
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
