// What does a candidate score and cost, tried where it can harm nobody?
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ModelRefused } from './refused.ts'
import type { TrialRequest, TrialResult } from './trial-process.ts'

export type Trial = Exclude<TrialResult, { error: string }>

/** @throws ModelRefused when it cannot be opened or scored, crashes, or takes too long */
export type TryModel = (request: TrialRequest) => Promise<Trial>

const script = fileURLToPath(new URL('./trial-process.ts', import.meta.url))

/** @param timeoutMs how long the whole trial may take, the start of the process included */
export function createTrial(timeoutMs: number): TryModel {
  return async (request) => {
    const child = fork(script, {
      // Nothing of ours: neither keys nor addresses.
      env: {},
      execArgv: ['--permission', '--allow-addons', '--allow-fs-read=*', '--no-warnings'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let complaint = ''
    child.stderr?.on(
      'data',
      (text: Buffer) => (complaint = `${complaint}${text.toString()}`.slice(-500)),
    )
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    const startedAt = performance.now()
    let result: TrialResult | undefined
    child.on('message', (message: TrialResult) => (result = message))
    child.send(request, () => undefined)
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    clearTimeout(timer)
    if (result === undefined) {
      if (performance.now() - startedAt >= timeoutMs) {
        throw new ModelRefused('trial-timeout', `the trial did not end within ${timeoutMs} ms`)
      }
      const ended = signal ?? `status ${code}`
      throw new ModelRefused('trial-crashed', `the trial ended with ${ended}: ${complaint.trim()}`)
    }
    if ('error' in result) {
      throw new ModelRefused(
        result.step === 'open' ? 'onnx-unreadable' : 'golden-failed',
        result.error,
      )
    }
    return result
  }
}
