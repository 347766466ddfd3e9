// Which aliases does MLflow have, and where do their versions stand?
import { TransientError } from '@churnstream/runtime'
import { z } from 'zod'

export interface AliasedVersion {
  readonly modelName: string
  readonly alias: string
  readonly modelVersion: string
}

export interface Mlflow {
  /** Every alias of every registered model whose name has the prefix. */
  aliases(namePrefix: string): Promise<AliasedVersion[]>
  /** Where the files of a version are, for example s3://bucket/1/models/m-…/artifacts. */
  artifactLocation(modelName: string, modelVersion: string): Promise<string>
}

const searchAnswer = z.object({
  registered_models: z
    .array(
      z.object({
        name: z.string(),
        aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
      }),
    )
    .default([]),
  next_page_token: z.string().optional(),
})
const downloadAnswer = z.object({ artifact_uri: z.string() })

const timeoutMs = 10_000

/** MLflow's REST API 2.0. @throws TransientError when it does not answer or answers oddly */
export function createMlflow(trackingUri: string): Mlflow {
  const base = `${trackingUri.replace(/\/$/, '')}/api/2.0/mlflow`

  async function get<T extends z.ZodType>(path: string, query: Record<string, string>, answer: T) {
    const url = `${base}/${path}?${new URLSearchParams(query).toString()}`
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
      if (!response.ok)
        throw new Error(`${response.status} ${(await response.text()).slice(0, 300)}`)
      return answer.parse(await response.json())
    } catch (error) {
      throw new TransientError(`asking MLflow for ${path}`, { cause: error })
    }
  }

  return {
    async aliases(namePrefix) {
      const found: AliasedVersion[] = []
      let pageToken = ''
      do {
        const query = { max_results: '100', ...(pageToken === '' ? {} : { page_token: pageToken }) }
        const page = await get('registered-models/search', query, searchAnswer)
        for (const { name, aliases } of page.registered_models) {
          if (!name.startsWith(namePrefix)) continue
          for (const { alias, version } of aliases) {
            found.push({ modelName: name, alias, modelVersion: version })
          }
        }
        pageToken = page.next_page_token ?? ''
      } while (pageToken !== '')
      return found
    },
    async artifactLocation(modelName, modelVersion) {
      const query = { name: modelName, version: modelVersion }
      return (await get('model-versions/get-download-uri', query, downloadAnswer)).artifact_uri
    },
  }
}
