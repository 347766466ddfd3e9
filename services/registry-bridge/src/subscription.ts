// Does MLflow have our webhook, once, as we want it?
import type { Log } from '@churnstream/runtime'
import type { Mlflow, Webhook, WebhookSettings } from './mlflow.ts'

export interface Subscription {
  /** Creates, repairs or thins out; once in a process the secret is written too, for nobody can read it. */
  ensure(): Promise<void>
}

export const webhookName = 'churnstream-registry-bridge'
const events = [
  'model_version_alias.created',
  'model_version_alias.deleted',
  'model_version.created',
  'registered_model.created',
]

export function createSubscription(options: {
  readonly mlflow: Pick<Mlflow, 'webhooks' | 'createWebhook' | 'updateWebhook' | 'deleteWebhook'>
  readonly url: string
  /** What MLflow signs with from now on. */
  readonly secret: string
  readonly log: Log
}): Subscription {
  const { mlflow, url, secret, log } = options
  const wanted: WebhookSettings = { name: webhookName, url, events, status: 'ACTIVE' }
  /** Of the webhook whose secret this process wrote. */
  let ours: string | undefined

  return {
    async ensure() {
      const named = (await mlflow.webhooks()).filter(({ name }) => name === webhookName)
      // The oldest stays, whoever looks: bridges that start together then delete the same ones.
      const [kept, ...others] = named.toSorted(byAge)
      if (kept === undefined) {
        ours = (await mlflow.createWebhook({ ...wanted, secret })).id
        log.info({ url }, 'MLflow has our webhook now')
        return
      }
      if (kept.id !== ours || !isAsWanted(kept, wanted)) {
        await mlflow.updateWebhook(kept.id, { ...wanted, secret })
        ours = kept.id
        log.info({ url }, 'our webhook in MLflow is as it should be')
      }
      for (const { id } of others) {
        await mlflow.deleteWebhook(id)
        log.info({ id }, 'deleted a duplicate of our webhook')
      }
    },
  }
}

const byAge = (a: Webhook, b: Webhook): number =>
  a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)

const isAsWanted = (found: Webhook, wanted: WebhookSettings): boolean =>
  found.url === wanted.url &&
  found.status === wanted.status &&
  found.events.toSorted().join() === wanted.events.toSorted().join()
