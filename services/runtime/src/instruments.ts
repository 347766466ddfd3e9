// How does a service count what the topology says it exposes?
import type { Label, Metric } from '@churnstream/topology'
import { Counter, Gauge, Histogram, Registry, type OpenMetricsContentType } from 'prom-client'
import { Distribution } from './distribution.ts'

export type Instruments = Registry<OpenMetricsContentType>
export type { Counter, Gauge, Histogram } from 'prom-client'

type LabelsOf<M extends Metric> = M['labels'][number] & Label

/** OpenMetrics, because only it can carry exemplars. */
export function createInstruments(): Instruments {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}

export function createCounter<M extends Metric>(
  registry: Instruments,
  metric: M,
): Counter<LabelsOf<M>> {
  const counter = new Counter<LabelsOf<M>>({
    ...toOptions<M>(metric),
    registers: [registry as unknown as Registry],
  })
  for (const series of metric.initial ?? []) counter.inc(series as LabelValues<M>, 0)
  return counter
}

/** @param collect sets the value when it is asked for */
export function createGauge<M extends Metric>(
  registry: Instruments,
  metric: M,
  collect?: (gauge: Gauge<LabelsOf<M>>) => void,
): Gauge<LabelsOf<M>> {
  return new Gauge<LabelsOf<M>>({
    ...toOptions<M>(metric),
    registers: [registry as unknown as Registry],
    ...(collect === undefined
      ? {}
      : {
          collect() {
            collect(this)
          },
        }),
  })
}

export function createHistogram<M extends Metric>(
  registry: Instruments,
  metric: M,
): Histogram<LabelsOf<M>> {
  const histogram = new Histogram<LabelsOf<M>>({
    ...toOptions<M>(metric),
    buckets: [...(metric.buckets ?? [])],
    registers: [registry as unknown as Registry],
  })
  for (const series of metric.initial ?? []) histogram.zero(series as LabelValues<M>)
  return histogram
}

/** A histogram of what is observed record by record. */
export function createDistribution(registry: Instruments, metric: Metric): Distribution {
  const distribution = new Distribution(metric)
  registry.registerMetric(distribution as unknown as Histogram)
  return distribution
}

type LabelValues<M extends Metric> = Partial<Record<LabelsOf<M>, string>>

function toOptions<M extends Metric>({ name, help, labels }: M) {
  return { name, help, labelNames: labels as readonly LabelsOf<M>[] }
}
