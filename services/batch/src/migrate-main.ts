// npm run migrate: does the database have all tables of this build, for whom they are?
import { grant, migrate } from '@churnstream/sinks'
import { parseArgs } from 'node:util'
import { prepareBatches } from './batches.ts'
import { runCommand } from './command.ts'
import { openInstallation } from './installation.ts'

const usage = `npm run migrate

Brings the tables of scores and of batches to what this build knows, as the role in DATABASE_URL, who
owns them. Where services/sinks/roles.sql has made the roles, each is granted what it may do.`

await runCommand('migrate', async () => {
  const { values } = parseArgs({ options: { help: { type: 'boolean', default: false } } })
  if (values.help) {
    console.log(usage)
    return
  }
  await using installation = openInstallation(process.env)
  const database = installation.database()
  const applied = await migrate(database)
  const granted = await grant(database)
  await prepareBatches(database)
  await grant(database, new URL('../grants.sql', import.meta.url))
  const roles = granted
    ? 'the roles have their rights'
    : 'there are no roles: only the owner writes'
  console.log(
    `${applied.length === 0 ? 'no' : applied.length} migrations of scores were missing; ${roles}`,
  )
})
