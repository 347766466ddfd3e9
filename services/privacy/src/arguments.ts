// What is asked of npm run privacy?
import { UsageError } from '@churnstream/batch'
import { parseDurationMs } from '@churnstream/command-line'
import { usualDataDir } from '@churnstream/topology/local'
import { parseArgs } from 'node:util'

export const usage = `npm run privacy -- VERB [PLAYER] [options]

  erase PLAYER    asks for the erasure of a player, waits until every service has done it, deletes
                  rows and rewrites objects, and then proves it. Again goes on where it ended
  prove PLAYER    reads every topic, table and object: where is the player, and until when?
  repeat          deletes rows and rewrites objects of every player erased so far once more: after a
                  backup was restored, or when scores were written to PostgreSQL again

  --market M          whose law the request stands on, for the record: no market keeps the player
  --requested-by WHO  for the record (a person's command)
  --wait 10m          for services that are down or behind; the request stands meanwhile
  --objects S3        s3://bucket or s3://bucket/prefix, once for each (s3://$S3_BUCKET)
  --json              the result as JSON
  --data-dir FOLDER   where the running demo keeps its data (.data)

PLAYER is the id that producers send: with PLAYER_ID_KEY_FILE its pseudonym is derived, as ingestion
does. The servers are those in the environment (KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL,
DATABASE_URL, WAREHOUSE_DATABASE_URL, S3_ENDPOINT, AWS_…), or those of a demo that runs. Exits with 0
when nothing is left that should not be, 75 when something is away or late, and 1 otherwise.`

export interface Arguments {
  readonly verb: 'erase' | 'prove' | 'repeat'
  readonly player: string
  readonly market: string | null
  readonly requestedBy: string
  readonly waitMs: number
  readonly objects: readonly string[]
  readonly json: boolean
  readonly dataDir: string
}

/** Undefined: help is asked for. @throws UsageError */
export function parseArguments(args: readonly string[]): Arguments | undefined {
  const { values, positionals } = parsed(args)
  const [verb, player, ...more] = positionals
  if (values.help || verb === undefined) return undefined
  if (verb !== 'erase' && verb !== 'prove' && verb !== 'repeat') {
    throw new UsageError(`there is no verb ${verb}; see --help`)
  }
  if ((player === undefined) !== (verb === 'repeat') || more.length > 0) {
    throw new UsageError(
      verb === 'repeat' ? 'repeat takes no player' : `${verb} takes one player; see --help`,
    )
  }
  if (player === '') throw new UsageError('an id has a character or more')
  return {
    verb,
    player: player ?? '',
    market: values.market ?? null,
    requestedBy: values['requested-by'],
    waitMs: toWaitMs(values.wait),
    objects: values.objects,
    json: values.json,
    dataDir: values['data-dir'],
  }
}

function toWaitMs(text: string): number {
  try {
    return parseDurationMs('--wait', text, '30s')
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        market: { type: 'string' },
        'requested-by': { type: 'string', default: "a person's command" },
        wait: { type: 'string', default: '10m' },
        objects: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        'data-dir': { type: 'string', default: usualDataDir },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
