// npm run api-key: which key may a new caller use?
import { parseArgs } from 'node:util'
import { makeApiKey } from './api-keys.ts'

const usage = `npm run api-key -- ID [--market MARKET]… [--events-per-second N] [--burst N]

Makes a key. It is printed once, for its owner; the line below it goes into the list of
API_KEYS_FILE: { "keys": [ … ] }.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    market: { type: 'string', multiple: true },
    'events-per-second': { type: 'string' },
    burst: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const [id] = positionals
if (values.help || id === undefined) {
  console.log(usage)
} else {
  const { key, entry } = makeApiKey(id, {
    ...(values.market === undefined ? {} : { markets: values.market }),
    ...(values['events-per-second'] === undefined
      ? {}
      : { eventsPerSecond: Number(values['events-per-second']) }),
    ...(values.burst === undefined ? {} : { burstEvents: Number(values.burst) }),
  })
  console.log(`${key}\n${JSON.stringify(entry)}`)
}
