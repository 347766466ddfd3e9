// How does MLflow's registry behave, without a server? For fast tests.
import { TransientError } from '@churnstream/runtime'
import {
  MlflowRefused,
  type Mlflow,
  type ModelVersion,
  type RegisteredModel,
  type Webhook,
  type WebhookSettings,
} from './mlflow.ts'

interface Model {
  readonly tags: Map<string, string>
  readonly aliases: Map<string, string>
  readonly versions: Map<string, Omit<ModelVersion, 'tags' | 'aliases'>>
  readonly versionTags: Map<string, Map<string, string>>
}

export interface LoggedMetrics {
  readonly runId: string
  readonly metrics: Readonly<Record<string, number>>
  readonly options: Parameters<Mlflow['logMetrics']>[2]
}

export class MemoryMlflow implements Mlflow {
  /** Every call that changed something, as `method name …`. */
  readonly changes: string[] = []
  readonly logged: LoggedMetrics[] = []
  /** Called before each method; a throw there is what a server that is away does. */
  failpoint: (method: string) => void = () => undefined
  readonly #models = new Map<string, Model>()
  readonly #webhooks = new Map<string, Webhook>()
  readonly #secrets = new Map<string, string>()
  #ids = 0

  /** Registers the next version of a model; creates the model if need be. */
  addVersion(name: string, given: Partial<ModelVersion> = {}): string {
    let model = this.#models.get(name)
    if (model === undefined) {
      model = { tags: new Map(), aliases: new Map(), versions: new Map(), versionTags: new Map() }
      this.#models.set(name, model)
    }
    const version = String(model.versions.size + 1)
    model.versions.set(version, {
      name,
      version,
      runId: given.runId,
      modelId: given.modelId,
      source: given.source ?? `s3://bucket/${name}/${version}`,
      description: given.description ?? '',
      createdAt: given.createdAt ?? Number(version),
    })
    model.versionTags.set(version, new Map(Object.entries(given.tags ?? {})))
    return version
  }

  secretOf(webhookId: string): string | undefined {
    return this.#secrets.get(webhookId)
  }

  #called(method: string, ...change: string[]): void {
    this.failpoint(method)
    if (change.length > 0) this.changes.push([method, ...change].join(' '))
  }

  #model(name: string): Model {
    const model = this.#models.get(name)
    if (model === undefined) throw missing(`model ${name}`)
    return model
  }

  #tagsOf(name: string, version: string): Map<string, string> {
    const tags = this.#model(name).versionTags.get(version)
    if (tags === undefined) throw missing(`version ${version} of ${name}`)
    return tags
  }

  async models(namePrefix: string): Promise<RegisteredModel[]> {
    this.#called('models')
    const names = [...this.#models.keys()].filter((name) => name.startsWith(namePrefix))
    return names.map((name) => this.#toRegistered(name))
  }

  #toRegistered(name: string): RegisteredModel {
    const { tags, aliases } = this.#model(name)
    return { name, tags: Object.fromEntries(tags), aliases: Object.fromEntries(aliases) }
  }

  async model(name: string): Promise<RegisteredModel | undefined> {
    this.#called('model')
    return this.#models.has(name) ? this.#toRegistered(name) : undefined
  }

  async version(name: string, version: string): Promise<ModelVersion | undefined> {
    this.#called('version')
    const model = this.#models.get(name)
    const found = model?.versions.get(version)
    if (model === undefined || found === undefined) return undefined
    const aliases = [...model.aliases].filter(([, named]) => named === version)
    return {
      ...found,
      tags: Object.fromEntries(this.#tagsOf(name, version)),
      aliases: aliases.map(([alias]) => alias),
    }
  }

  async versions(name: string): Promise<ModelVersion[]> {
    const numbers = [...(this.#models.get(name)?.versions.keys() ?? [])].reverse()
    const found = await Promise.all(numbers.map((version) => this.version(name, version)))
    return found.filter((version) => version !== undefined)
  }

  async artifactLocation(name: string, version: string): Promise<string> {
    this.#called('artifactLocation')
    const found = this.#model(name).versions.get(version)
    if (found === undefined) throw missing(`version ${version} of ${name}`)
    return found.source
  }

  async setAlias(name: string, alias: string, version: string): Promise<void> {
    this.#called('setAlias', name, alias, version)
    this.#tagsOf(name, version)
    this.#model(name).aliases.set(alias, version)
  }

  async deleteAlias(name: string, alias: string): Promise<void> {
    this.#called('deleteAlias', name, alias)
    this.#model(name).aliases.delete(alias)
  }

  async setVersionTags(
    name: string,
    version: string,
    tags: Readonly<Record<string, string>>,
  ): Promise<void> {
    this.#called('setVersionTags', name, version, ...Object.keys(tags))
    for (const [key, value] of Object.entries(tags)) this.#tagsOf(name, version).set(key, value)
  }

  async deleteVersionTag(name: string, version: string, key: string): Promise<void> {
    this.#called('deleteVersionTag', name, version, key)
    this.#tagsOf(name, version).delete(key)
  }

  async setModelTag(name: string, key: string, value: string): Promise<void> {
    this.#called('setModelTag', name, key, value)
    this.#model(name).tags.set(key, value)
  }

  async deleteModelTag(name: string, key: string): Promise<void> {
    this.#called('deleteModelTag', name, key)
    this.#model(name).tags.delete(key)
  }

  async logMetrics(
    runId: string,
    metrics: Readonly<Record<string, number>>,
    options: LoggedMetrics['options'],
  ): Promise<void> {
    this.#called('logMetrics', runId)
    this.logged.push({ runId, metrics, options })
  }

  async webhooks(): Promise<Webhook[]> {
    this.#called('webhooks')
    return [...this.#webhooks.values()]
  }

  async createWebhook(settings: WebhookSettings & { readonly secret: string }): Promise<Webhook> {
    this.#called('createWebhook', settings.name)
    const id = String(++this.#ids)
    const { secret, ...told } = settings
    const created = { ...told, id, createdAt: this.#ids }
    this.#webhooks.set(id, created)
    this.#secrets.set(id, secret)
    return created
  }

  async updateWebhook(
    id: string,
    settings: Partial<WebhookSettings & { readonly secret: string }>,
  ): Promise<void> {
    this.#called('updateWebhook', id)
    const known = this.#webhooks.get(id)
    if (known === undefined) throw missing(`webhook ${id}`)
    const { secret = this.#secrets.get(id) ?? '', ...told } = settings
    this.#webhooks.set(id, { ...known, ...told })
    this.#secrets.set(id, secret)
  }

  async deleteWebhook(id: string): Promise<void> {
    this.#called('deleteWebhook', id)
    if (!this.#webhooks.delete(id)) throw missing(`webhook ${id}`)
  }
}

/** For a failpoint: the method fails from its nth call on, as often as asked. */
export function awayAt(method: string, call: number, times = 1): (called: string) => void {
  let calls = 0
  return (called) => {
    if (called !== method) return
    calls++
    if (calls >= call && calls < call + times) throw new TransientError(`${method}: MLflow is away`)
  }
}

const missing = (what: string): MlflowRefused =>
  new MlflowRefused(`${what} not found`, 'RESOURCE_DOES_NOT_EXIST')
