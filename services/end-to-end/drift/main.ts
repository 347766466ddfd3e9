// npm run drift-table: each planted drift, what fired and when; exits 1 when a row is not as expected.
import { renderTable } from '@churnstream/command-line'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openModel } from './model.ts'
import { play, playersBefore } from './play.ts'
import { expectations, rowOf, type Row } from './table.ts'
import { plantedFrom } from './world.ts'

const usage = `npm run drift-table -- [--report FILE] [PLANT…]

Plays each planted drift through features, a trained model and the monitor, without servers: 98 days,
the drift from the 15th on. An alarm's number says in which window since then it was confirmed; windows
are weeks, of quality days. Exits 1 when a row is not as expected.

  --report FILE  write the rows as JSON`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { report: { type: 'string' }, help: { type: 'boolean', default: false } },
})
const known = expectations.map(({ plant }) => plant)
const unknown = positionals.find((name) => !known.some((plant) => plant === name))
if (values.help) console.log(usage)
else if (unknown !== undefined) {
  console.error(`there is no plant ${unknown}; there are: ${known.join(', ')}`)
  process.exitCode = 1
} else await main()

async function main(): Promise<void> {
  const model = await openModel()
  console.error('folding the history')
  const players = playersBefore()
  const rows: Row[] = []
  for (const expected of expectations) {
    const { plant } = expected
    if (positionals.length > 0 && !positionals.includes(plant)) continue
    console.error(`playing ${plant}`)
    const plants = plant === 'none' ? [] : [{ kind: plant, from: plantedFrom }]
    rows.push(rowOf(expected, await play(model, players, plants)))
  }
  console.log(
    renderTable(
      ['plant', 'alarms (confirmed in window)', 'asked to retrain', 'held back', 'as expected'],
      rows.map(({ plant, fired, requests, held, problems }) => [
        plant,
        fired || '-',
        requests || '-',
        held || '-',
        problems.length === 0 ? 'yes' : `NO: ${problems.join('; ')}`,
      ]),
    ),
  )
  if (values.report) writeFileSync(values.report, `${JSON.stringify(rows, null, 2)}\n`)
  if (rows.some(({ problems }) => problems.length > 0)) process.exitCode = 1
}
