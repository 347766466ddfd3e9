// How are values of single records counted by size, at the cost of an addition each?
import type { Metric } from '@churnstream/topology'

interface Exemplar {
  readonly labelSet: { readonly trace_id: string }
  readonly value: number
  /** Seconds since 1970. */
  readonly timestamp: number
}

type Labels = Readonly<Record<string, string>>

interface Value {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly exemplar?: Exemplar
}

/**
 * A histogram for prom-client's registry. prom-client's own takes about half a microsecond for a
 * value, a good part of what scoring a record costs.
 */
export class Distribution {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly aggregator = 'sum'
  readonly #buckets: readonly number[]
  readonly #series: Series[] = []

  constructor({ name, help, buckets = [] }: Metric) {
    this.name = name
    this.help = help
    this.#buckets = buckets
  }

  /** The series of these labels, to be kept by who adds to it. */
  of(labels: Labels): Series {
    const series = new Series(labels, this.#buckets)
    this.#series.push(series)
    return series
  }

  reset(): void {
    for (const series of this.#series) series.reset()
  }

  async get(): Promise<{ name: string; help: string; type: string; values: Value[] }> {
    const { name, help, type } = this
    return { name, help, type, values: this.#series.flatMap((series) => series.values(name)) }
  }
}

export class Series {
  readonly #labels: Labels
  readonly #bounds: Float64Array
  /** One more than bounds: what lies beyond the last. */
  readonly #counts: Float64Array
  readonly #exemplars: (Exemplar | undefined)[]
  #sum = 0

  constructor(labels: Labels, buckets: readonly number[]) {
    this.#labels = labels
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

  values(name: string): Value[] {
    const labels = this.#labels
    let count = 0
    const values: Value[] = []
    for (const [bin, own] of this.#counts.entries()) {
      count += own
      const le = this.#bounds[bin] ?? '+Inf'
      const exemplar = this.#exemplars[bin]
      values.push({
        metricName: `${name}_bucket`,
        labels: { le, ...labels },
        value: count,
        ...(exemplar === undefined ? {} : { exemplar }),
      })
    }
    values.push({ metricName: `${name}_sum`, labels, value: this.#sum })
    values.push({ metricName: `${name}_count`, labels, value: count })
    return values
  }
}
