// How are values of single records counted by size, at the cost of an addition each?
import type { Metric } from '@churnstream/topology'

interface Exemplar {
  readonly labelSet: { readonly trace_id: string }
  readonly value: number
  /** Seconds since 1970. */
  readonly timestamp: number
}

interface Value {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly exemplar?: Exemplar
}

/**
 * A histogram without labels, for prom-client's registry. prom-client's own takes about a
 * microsecond for a value, much of what scoring a record costs; see distribution.test.ts.
 */
export class Distribution {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly aggregator = 'sum'
  readonly #bounds: Float64Array
  /** One more than bounds: what lies beyond the last. */
  readonly #counts: Float64Array
  readonly #exemplars: (Exemplar | undefined)[]
  #sum = 0

  constructor({ name, help, buckets = [] }: Metric) {
    this.name = name
    this.help = help
    this.#bounds = Float64Array.from(buckets)
    this.#counts = new Float64Array(buckets.length + 1)
    this.#exemplars = Array.from({ length: buckets.length + 1 }, () => undefined)
  }

  /** @param traceId of a sampled record: an example of this size */
  add(value: number, traceId?: string): void {
    const bounds = this.#bounds
    let bin = 0
    while (bin < bounds.length && value > (bounds[bin] as number)) bin++
    this.#counts[bin] = (this.#counts[bin] as number) + 1
    this.#sum += value
    if (traceId === undefined) return
    const labelSet = { trace_id: traceId }
    this.#exemplars[bin] = { labelSet, value, timestamp: Date.now() / 1000 }
  }

  reset(): void {
    this.#counts.fill(0)
    this.#exemplars.fill(undefined)
    this.#sum = 0
  }

  async get(): Promise<{ name: string; help: string; type: string; values: Value[] }> {
    const { name, help, type } = this
    let count = 0
    const values: Value[] = []
    for (const [bin, own] of this.#counts.entries()) {
      count += own
      const le = this.#bounds[bin] ?? '+Inf'
      const exemplar = this.#exemplars[bin]
      values.push({
        metricName: `${name}_bucket`,
        labels: { le },
        value: count,
        ...(exemplar === undefined ? {} : { exemplar }),
      })
    }
    values.push({ metricName: `${name}_sum`, labels: {}, value: this.#sum })
    values.push({ metricName: `${name}_count`, labels: {}, value: count })
    return { name, help, type, values }
  }
}
