// npm run dlq: what was set aside, and what becomes of it?
import {
  FatalError,
  TransientError,
  messageOf,
  openCluster,
  type Kafka,
} from '@churnstream/runtime'
import { DecodeProblem, Decoder, RegistryUnavailable, type Schemas } from '@churnstream/schemas'
import { noStack, runningVariables, usualDataDir } from '@churnstream/topology/local'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  countLetters,
  countsText,
  matches,
  parsePlace,
  placeText,
  type Filter,
  type Letter,
  type Place,
} from './core/letter.ts'
import { consumedTopics } from '@churnstream/topology'
import { readLetters, usedTopics } from './letters.ts'
import { park } from './park.ts'
import { isWhole, settle } from './settle.ts'

const usage = `npm run dlq -- COMMAND [options]

  list                     counts by topic and reason
  show PLACE               one letter: why, where from, its bytes
  export FILE              letters as JSON lines, bytes in base64
  replay                   writes the original bytes back to their partition, once
  drop --because TEXT      nothing will come of them; they stay until they are too old
  park PLACE --because TEXT  sets the record aside at which a partition stands still because of a
                           bug, and lets its service go on behind it

  --topic TOPIC            letters of records of this topic
  --reason REASON          letters set aside for this reason
  --place PLACE            one letter. A place is topic-partition@offset: player-activity.dlq-3@17
  --json                   the result as JSON
  --data-dir FOLDER        where the running demo keeps its data (.data)

replay and drop leave a receipt for each letter in the same transaction, so that none is done twice,
and count both sides again from the topics.`

const expected = [FatalError, TransientError, RegistryUnavailable]

try {
  process.exitCode = await main()
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error
  if (!isUsage && !expected.some((kind) => error instanceof kind)) throw error
  console.error(`dlq: ${messageOf(error)}`)
  process.exitCode = 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      topic: { type: 'string' },
      reason: { type: 'string' },
      place: { type: 'string' },
      because: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      'data-dir': { type: 'string', default: usualDataDir },
      help: { type: 'boolean', default: false },
    },
  })
  const [command, argument] = positionals
  if (values.help || command === undefined) {
    console.log(usage)
    return 0
  }
  const variables = runningVariables(process.env, values['data-dir'])
  const { KAFKA_BOOTSTRAP_SERVERS: servers, SCHEMA_REGISTRY_URL: url } = variables ?? process.env
  if (servers === undefined || url === undefined) throw new FatalError(noStack(values['data-dir']))
  const { kafka, schemas } = openCluster(variables ?? process.env, 'dlq')
  const filter: Filter = {
    topic: values.topic,
    reason: values.reason,
    place: values.place === undefined ? undefined : toPlace(values.place),
  }
  try {
    await kafka.ensureTopics(usedTopics)
    switch (command) {
      case 'list': {
        const counts = countLetters((await readLetters(kafka, schemas)).filter(matches(filter)))
        console.log(values.json ? JSON.stringify(counts, null, 2) : countsText(counts))
        return 0
      }
      case 'show':
        return await show(kafka, schemas, toPlace(needed('PLACE', argument)))
      case 'export': {
        const file = needed('FILE', argument)
        const letters = (await readLetters(kafka, schemas)).filter(matches(filter))
        writeFileSync(file, letters.map((letter) => `${JSON.stringify(toJson(letter))}\n`).join(''))
        console.log(`${letters.length} letters are in ${file}`)
        return 0
      }
      case 'replay':
      case 'drop': {
        const action = command === 'replay' ? 'replayed' : 'dropped'
        const because = action === 'dropped' ? needed('--because', values.because) : values.because
        const settlement = await settle({
          kafka,
          schemas,
          filter,
          action,
          because,
          nowMs: Date.now(),
        })
        const { selected, receipts, records, doneBefore } = settlement
        const text =
          `${action} ${selected} letters: ${receipts} receipts, ${records} records back in their ` +
          `topics; ${doneBefore} were done before`
        console.log(values.json ? JSON.stringify(settlement, null, 2) : text)
        return isWhole(settlement) ? 0 : 1
      }
      case 'park': {
        const place = toPlace(needed('PLACE', argument))
        await park(kafka, place, needed('--because', values.because))
        console.log(`${placeText(place)} is set aside; its service goes on behind it`)
        return 0
      }
      default:
        throw new FatalError(`there is no command ${command}; see --help`)
    }
  } finally {
    await kafka.close()
  }
}

async function show(kafka: Kafka, schemas: Schemas, place: Place): Promise<number> {
  const [letter] = (await readLetters(kafka, schemas)).filter(matches({ place }))
  if (letter === undefined) {
    throw new FatalError(`there is no dead letter at ${placeText(place)}; see list`)
  }
  console.log(JSON.stringify({ ...toJson(letter), ...(await decoded(schemas, letter)) }, null, 2))
  return 0
}

/** What its bytes say, where they say anything. */
async function decoded(
  schemas: Schemas,
  { cause, value }: Letter,
): Promise<{ decoded: unknown } | { unreadable: string }> {
  const topic = consumedTopics.find(({ name }) => name === cause.topic)
  if (topic === undefined) return { unreadable: `no service consumes ${cause.topic}` }
  const decoder = new Decoder(topic.record)
  await schemas.prepare(decoder, [value])
  const record = decoder.decode(value)
  return record instanceof DecodeProblem ? { unreadable: record.detail } : { decoded: record }
}

function toJson(letter: Letter): object {
  const { cause, key, value, headers, receipt } = letter
  return {
    place: placeText(letter),
    cause,
    key: key?.toString('base64') ?? null,
    value: value?.toString('base64') ?? null,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, held]) => [name, held.toString('base64')]),
    ),
    receipt: receipt ?? null,
  }
}

function toPlace(text: string): Place {
  const place = parsePlace(text)
  if (place !== undefined) return place
  throw new FatalError(`${text} is no place; it should be like player-activity.dlq-3@17`)
}

function needed(what: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value
  throw new FatalError(`${what} is missing; see --help`)
}
