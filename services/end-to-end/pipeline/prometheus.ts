// What does Prometheus answer to an expression, and is it a figure?
import { boards } from '@churnstream/topology/observability'
import { setTimeout as delay } from 'node:timers/promises'

interface Answer<T> {
  readonly status: string
  readonly data: T
}
export type Vector = {
  readonly metric: Record<string, string>
  readonly value: [number, string]
}[]

/** @throws Error with what it says instead */
export async function askPrometheus<T>(
  url: string,
  path: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<T> {
  const target = new URL(`/api/v1/${path}`, url)
  target.search = String(new URLSearchParams(parameters))
  const body = await (await fetch(target)).text()
  const { status, data } = JSON.parse(body) as Answer<T>
  if (status === 'success') return data
  throw new Error(`Prometheus, asked for ${path} ${JSON.stringify(parameters)}: ${body}`)
}

export async function queryPrometheus(url: string, expr: string): Promise<Vector> {
  // Grafana fills it in with some scrape intervals.
  const query = expr.replaceAll('$__rate_interval', '30s')
  return (await askPrometheus<{ result: Vector }>(url, 'query', { query })).result
}

export const isAnswered = (vector: Vector): boolean =>
  vector.some(({ value: [, text] }) => Number.isFinite(Number(text)))

/**
 * Asks what every panel of every board asks.
 * @throws Error that names a panel of what the scenario is about that has no answer
 */
export async function askBoards(url: string, patienceMs = 60_000): Promise<string> {
  const deadline = performance.now() + patienceMs
  let answered = 0
  const empty = new Set<string>()
  for (const { uid, rows } of boards) {
    for (const { title, queries } of rows.flatMap((row) => row.panels)) {
      for (const { expr } of queries) {
        let isThere = isAnswered(await queryPrometheus(url, expr))
        while (!isThere && uid === driftBoard) {
          if (performance.now() > deadline) throw new Error(`no answer for ${title}: ${expr}`)
          await delay(1_000)
          isThere = isAnswered(await queryPrometheus(url, expr))
        }
        if (isThere) answered++
        else empty.add(title)
      }
    }
  }
  const nothing = empty.size === 0 ? '' : `; nothing to say has ${[...empty].join(', ')}`
  return `${answered} expressions of the boards are answered with figures${nothing}`
}

const driftBoard = 'churnstream-drift'
