// What happens when a disk takes no more?
import { chownSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { outageMs, type FaultCase } from './fault-case.ts'
import type { Lab } from './lab.ts'
import { canMakeDisks, mountSmallDisk } from './small-disk.ts'

/** A broker ends when its only disk takes no more; ingestion says 503 meanwhile. */
const brokerDiskFull: FaultCase = {
  name: "the broker's disk is full",
  lab: 'small-disk',
  async run(lab) {
    const { disk, pipeline } = lab
    const { kafka } = pipeline.stack.servers
    if (disk === undefined) throw new Error('the lab has no small disk')
    return lab.whileMayEnd(kafka.name, async () => {
      disk.fill()
      const exit = await kafka.exited
      await delay(outageMs)
      disk.free()
      await kafka.start()
      return exit.asked ? 0 : 1
    })
  },
}

/** The rows' disk alone, so that PostgreSQL lives and refuses. */
const databaseDiskFull: FaultCase = {
  name: "the disk of the sinks' table is full",
  lab: 'small-disk',
  async run(lab) {
    const { stack } = lab.pipeline
    using disk = mountSmallDisk(join(stack.dataDir, 'rows'), 200)
    const { uid, gid } = statSync(join(stack.dataDir, 'postgres'))
    chownSync(disk.folder, uid, gid)
    const place = `LOCATION '${disk.folder}'`
    await query(stack.postgres.url('postgres'), [
      `CREATE TABLESPACE small OWNER churnstream ${place}`,
    ])
    const url = stack.postgres.url('churnstream')
    await query(url, moves('small'))
    disk.fill()
    const refused = await untilRefused(lab)
    await delay(outageMs)
    disk.free()
    await lab.caughtUp()
    await query(url, moves('pg_default'))
    await query(stack.postgres.url('postgres'), ['DROP TABLESPACE small'])
    return refused
  },
}

const moves = (tablespace: string): string[] => [
  `ALTER TABLE score_history SET TABLESPACE ${tablespace}`,
  ...['score_history_pkey', 'score_history_latest'].map(
    (index) => `ALTER INDEX ${index} SET TABLESPACE ${tablespace}`,
  ),
]

/** The sinks say what they wait for. */
async function untilRefused(lab: Lab): Promise<number> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const answer = await fetch(`${lab.pipeline.urls.sinks}/health/ready`)
    if (/No space left/.test(await answer.text())) return 1
    await delay(50)
  }
  return 0
}

async function query(url: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** None where no disk of a given size can be made. */
export const diskCases: readonly FaultCase[] = canMakeDisks
  ? [databaseDiskFull, brokerDiskFull]
  : []
