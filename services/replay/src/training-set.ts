// How does history become a training set, through the code that serves?
import { PartitionState, playersPerClock } from '@churnstream/features'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { DaySample, toCsvRow, trainingSetHeader, type SampleOptions } from './core/labels.ts'
import { emptyFolded, fold, type Folded, type Step } from './core/step.ts'

export interface TrainingSetOptions extends SampleOptions {
  readonly file: string
  /** The steps of each partition, in order; simulated, of a topic, or of files. */
  readonly partitions: Iterable<StepBatches>
  /** How many players a clock record may concern; as many as in the stream unless told. */
  readonly playersPerClock?: number
}

export type StepBatches = AsyncIterable<readonly Step[]> | Iterable<readonly Step[]>

export interface TrainingSet {
  readonly rows: number
  readonly churned: number
  readonly folded: Folded
}

/**
 * Gzipped CSV, one row for each labelled player and UTC day; an empty field is null. The same steps
 * and options give the same bytes. Nothing is left under the name when it fails.
 */
export async function buildTrainingSet(options: TrainingSetOptions): Promise<TrainingSet> {
  const { file, partitions, playersPerClock: limit = playersPerClock } = options
  const folded = emptyFolded()
  const counts = { rows: 0, churned: 0 }
  const lines = async function* (): AsyncGenerator<string> {
    yield `${trainingSetHeader}\n`
    let number = 0
    for (const batches of partitions) {
      const state = new PartitionState({ playersPerClock: limit })
      const sample = new DaySample(options, number++)
      for await (const batch of batches) {
        let text = ''
        for (const step of batch) {
          const result = fold(state, step, folded)
          if (result === undefined) continue
          for (const row of sample.add(result)) {
            counts.rows++
            if (row.churned) counts.churned++
            text += `${toCsvRow(row)}\n`
          }
        }
        if (text !== '') yield text
      }
    }
  }
  const temporary = `${file}.${process.pid}.part`
  try {
    await pipeline(Readable.from(lines()), createGzip({ level: 4 }), createWriteStream(temporary))
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return { ...counts, folded }
}
