// Which rows has PostgreSQL of a partition of player-activity?
import { topics } from '@churnstream/topology'
import { Client } from 'pg'
import type { Row } from './core/scores.ts'

export interface Rows extends AsyncDisposable {
  read(partition: number): Promise<Row[]>
}

export async function openRows(databaseUrl: string): Promise<Rows> {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 })
  // A connection that ends fails the query that uses it.
  client.on('error', () => undefined)
  await client.connect()
  return {
    async read(partition) {
      const { rows } = await client.query<{
        cause_offset: string
        player_id: string
        score: number
        model_version: string
        score_offset: string
      }>(
        `SELECT cause_offset, player_id, score, model_version, score_offset
           FROM score_history
          WHERE cause_topic = $1 AND cause_partition = $2`,
        [topics.playerActivity.name, partition],
      )
      return rows.map((row) => ({
        causeOffset: Number(row.cause_offset),
        playerId: row.player_id,
        score: row.score,
        modelVersion: row.model_version,
        scoreOffset: Number(row.score_offset),
      }))
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}
