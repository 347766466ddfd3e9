// How do scores of a replay become files, the same whoever writes them and however often?
import {
  openScoreWriter,
  readScores,
  type Installation,
  type OutputColumn,
  type ScoreRow,
} from '@churnstream/batch'
import { FatalError, TransientError, failpoint } from '@churnstream/runtime'
import { bandOf } from '@churnstream/scorer'
import type { VectorView } from '@churnstream/schemas/model'
import { createHash } from 'node:crypto'
import type { Lane, Target } from './backfill.ts'
import { sumOf, type PartitionCounts } from './core/counts.ts'
import { planDifference, type Plan } from './core/plan.ts'
import type { Folder } from './folder.ts'

/** A score with its cause: source, partition and offset. */
interface BackfillRow extends ScoreRow {
  readonly trigger: string
  readonly causeEventId: string
  readonly causePartition: number
  readonly causeOffset: number
}

const causeColumns: readonly (OutputColumn & {
  readonly of: (row: BackfillRow) => string | number
})[] = [
  { name: 'trigger', type: 'text', of: ({ trigger }) => trigger },
  { name: 'cause_event_id', type: 'text', of: ({ causeEventId }) => causeEventId },
  { name: 'cause_partition', type: 'integer', of: ({ causePartition }) => causePartition },
  { name: 'cause_offset', type: 'integer', of: ({ causeOffset }) => causeOffset },
]

const planName = '_plan.json'
const manifestName = 'manifest.json'
const fileName = (partition: number): string => `partition-${partition}.parquet`
const recordName = (partition: number): string => `_partition-${partition}.json`

/** What is said of a partition's file once it is whole. */
interface FileRecord {
  readonly planSha256: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly rows: number
  readonly counts: PartitionCounts
}

/**
 * The plan that the run was begun with in this folder, or this one from now on.
 * @throws FatalError when the folder holds another replay
 */
export async function beginInFolder(folder: Folder, plan: Plan): Promise<Plan> {
  await folder.createJson(planName, plan)
  const begun = (await folder.readJson(planName)) as Plan
  const difference = planDifference(begun, plan)
  if (difference === undefined) return begun
  throw new FatalError(
    `${folder.locate('')} holds a replay that was begun otherwise: ${difference}. Give the same ` +
      'options, or another folder',
  )
}

export function openFileTarget(options: {
  readonly folder: Folder
  readonly plan: Plan
  readonly installation: Installation
}): Target {
  const { folder, plan, installation } = options
  const planSha256 = sha256Of(plan)

  /** Undefined: there is no whole file of this plan. */
  async function recordOf(partition: number): Promise<FileRecord | undefined> {
    const record = (await folder.readJson(recordName(partition))) as FileRecord | undefined
    if (record?.planSha256 !== planSha256) return undefined
    const standing = await folder.sha256(fileName(partition))
    return standing === record.sha256 ? record : undefined
  }

  async function laneOf(partition: number): Promise<Lane> {
    const writer = await openScoreWriter<BackfillRow>(
      folder.locate(fileName(partition)),
      installation,
      causeColumns,
    )
    return {
      next: 0,
      written: 0,
      write({ views, scores }) {
        const rows: BackfillRow[] = []
        for (const [index, view] of views.entries()) {
          const score = scores[index] as number
          if (Number.isFinite(score)) rows.push(toRow(plan, view, score, writer.rows + rows.length))
        }
        return writer.write(rows)
      },
      async finish(counts) {
        const written = await writer.finish()
        failpoint('after-file')
        await folder.writeJson(recordName(partition), { planSha256, ...written, counts })
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    }
  }

  return {
    async open(partition) {
      const record = await recordOf(partition)
      return record === undefined ? laneOf(partition) : { finished: record.counts }
    },
    async countScores(partition) {
      const record = await recordOf(partition)
      if (record !== undefined) return record.rows
      throw new TransientError(
        `${folder.locate(fileName(partition))} is no longer what was written: another replay writes there`,
      )
    },
    async *read(partition) {
      const copy = await folder.copy(fileName(partition))
      try {
        yield* readScores(copy.file)
      } finally {
        await copy[Symbol.asyncDispose]()
      }
    },
    async complete(partitions) {
      const records = await Promise.all(
        partitions.map(async (_, partition) => (await recordOf(partition)) as FileRecord),
      )
      await folder.writeJson(manifestName, {
        plan,
        total: sumOf(partitions),
        partitions: records.map(({ sha256, sizeBytes, counts }, partition) => ({
          partition,
          file: fileName(partition),
          sha256,
          sizeBytes,
          ...counts,
        })),
      })
    },
  }
}

function toRow(plan: Plan, view: VectorView, score: number, row: number): BackfillRow {
  const { playerId, asOf, market, trigger } = view
  const { causeEventId, causeTopic, causePartition, causeOffset } = view
  return {
    playerId,
    asOf,
    market,
    score,
    band: bandOf(score),
    modelName: plan.modelName,
    modelVersion: plan.modelVersion,
    source: causeTopic,
    row,
    trigger,
    causeEventId,
    causePartition,
    causeOffset,
  }
}

const sha256Of = (plan: Plan): string =>
  createHash('sha256').update(JSON.stringify(plan)).digest('hex')
