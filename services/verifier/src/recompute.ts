// What does the named model say of a vector, without the scorer?
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Asked {
  readonly model: string
  readonly version: string
  /** By name; others than the model's are left alone. */
  readonly features: object
  readonly score: number
}

export type Answered = { readonly recomputed: number } | { readonly problem: string }

/** In the order asked. @throws Error with what Python said */
export type RecomputeScores = (asked: readonly Asked[]) => Promise<Answered[]>

const script = fileURLToPath(new URL('../python/recompute_scores.py', import.meta.url))
const trainingFolder = fileURLToPath(new URL('../../training/', import.meta.url))

export function createRecompute(
  python: string,
  env: Readonly<Record<string, string | undefined>>,
): RecomputeScores {
  return async (asked) => {
    if (asked.length === 0) return []
    const child = spawn(python, [script], { env: { ...env, PYTHONPATH: trainingFolder } })
    let output = ''
    let complaint = ''
    child.stdout.on('data', (text: Buffer) => (output += text.toString()))
    child.stderr.on('data', (text: Buffer) => {
      complaint = `${complaint}${text.toString()}`.slice(-2_000)
    })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    child.stdin.end(asked.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const code = await ended
    if (code !== 0) throw new Error(`computing scores again failed:\n${complaint}`)
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Answered)
  }
}
