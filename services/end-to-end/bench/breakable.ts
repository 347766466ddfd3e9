// How does a benchmark stop when its pipeline breaks?
import { startPipeline, type Pipeline, type PipelineOptions } from '../pipeline/pipeline.ts'

/** On free ports; `running` aborts, with what broke, also when a server or a service ends by itself. */
export async function startBreakable(
  options: Omit<PipelineOptions, 'ports' | 'onFailure'>,
): Promise<{ readonly pipeline: Pipeline; readonly running: AbortSignal }> {
  const failed = new AbortController()
  const running = AbortSignal.any([options.signal, failed.signal])
  const pipeline = await startPipeline({
    ...options,
    ports: 'free',
    signal: running,
    onFailure: (message) => failed.abort(new Error(message)),
  })
  return { pipeline, running }
}
