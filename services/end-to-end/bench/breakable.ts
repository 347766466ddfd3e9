// How does a benchmark stop when its pipeline breaks?
import { startPipeline, type Pipeline, type PipelineOptions } from '../pipeline/pipeline.ts'

/** What Kafka's own start script gives: with less a broker stands still for its garbage once a second. */
const brokerHeapMb = 1024

/** On free ports; `running` aborts, with what broke, also when a server or a service ends by itself. */
export async function startBreakable(
  options: Omit<PipelineOptions, 'ports' | 'onFailure'>,
): Promise<{ readonly pipeline: Pipeline; readonly running: AbortSignal }> {
  const failed = new AbortController()
  const running = AbortSignal.any([options.signal, failed.signal])
  const pipeline = await startPipeline({
    ...options,
    ports: 'free',
    brokerHeapMb,
    signal: running,
    onFailure: (message) => failed.abort(new Error(message)),
  })
  return { pipeline, running }
}
