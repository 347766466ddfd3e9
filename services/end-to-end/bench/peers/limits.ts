// What could nobody beat: the broker alone, and the model alone?
import { openRunner } from '@churnstream/scorer'
import { topics } from '@churnstream/topology'
import { tailOf } from '@churnstream/topology/local'
import { readFileSync } from 'node:fs'
import type { Java } from './installation.ts'
import type { Lab } from './lab.ts'
import { processors } from './run.ts'

const rounds = 5
const rowsPerRound = 20_480
const rowsPerCall = 256

/** Records or rows a second. */
export async function measureLimits(lab: Lab): Promise<Record<string, number>> {
  const { java, taskset } = lab.installation
  const limits: Record<string, number> = {}
  if ('command' in java) {
    for (const { name } of [topics.featureVectors, topics.playerActivity]) {
      limits[`a Java consumer that does nothing, ${name}: records/s`] = await drained(
        lab,
        java,
        name,
        taskset ? processors.contender : undefined,
      )
    }
  }
  for (const [runner, name] of [
    ['forest', 'our kernel'],
    ['onnxruntime', 'ONNX Runtime'],
  ] as const) {
    limits[`the model of S alone, ${name}, ${rowsPerCall} rows a call: rows per CPU second`] =
      await scored(lab, runner)
  }
  return limits
}

async function drained(
  lab: Lab,
  { command, classPath }: Java,
  topic: string,
  processor: string | undefined,
): Promise<number> {
  const args = ['-Xmx1g', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath]
  const main = ['churnstream.peers.Drain', topic, String(topics.featureVectors.partitions)]
  const env = { BOOTSTRAP: lab.brokers }
  const child = lab.spawn({ name: 'drain', command, args: [...args, ...main], env }, processor)
  const { code } = await child.exited
  const answer = tailOf(child.logFile)
  if (code !== 0) throw new Error(`the bare consumer ended with ${code}:\n${answer}`)
  return Number(answer.split('\n').at(-1))
}

/** The best of some rounds. */
async function scored(lab: Lab, runnerName: 'forest' | 'onnxruntime'): Promise<number> {
  const { onnxFile, columns } = lab.models.S
  const width = columns.length
  const runner = await openRunner(runnerName, readFileSync(onnxFile), width)
  const bytes = readFileSync(lab.rowsFile).subarray(0, rowsPerRound * width * 4)
  const rows = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  let best = 0
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage()
    for (let at = 0; at < rows.length; at += rowsPerCall * width) {
      await runner.score(rows.slice(at, at + rowsPerCall * width))
    }
    const { user, system } = process.cpuUsage(before)
    best = Math.max(best, (rows.length / width / (user + system)) * 1e6)
  }
  await runner.release()
  return Math.round(best)
}
