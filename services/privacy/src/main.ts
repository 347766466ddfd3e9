// npm run privacy: is a player erased everywhere, and can it be shown?
import { runCommand } from '@churnstream/batch'
import { FatalError } from '@churnstream/runtime'
import { parseArguments, usage } from './arguments.ts'
import { connect } from './connect.ts'
import { left } from './core/finding.ts'
import { erase } from './erase.ts'
import { prove } from './prove.ts'
import { repeat } from './repeat.ts'
import { proofText } from './report.ts'

await runCommand('privacy', async ({ signal, onProgress }) => {
  const asked = parseArguments(process.argv.slice(2))
  if (asked === undefined) {
    console.log(usage)
    return
  }
  await using connection = connect(process.env, asked.dataDir, asked.objects)
  const world = { connection, signal, onProgress }
  if (asked.verb === 'repeat') {
    const repeated = await repeat(world, asked.waitMs)
    const { players, rows, objects, refused } = repeated
    const text = `${players} players: ${rows} rows deleted, ${objects} objects rewritten`
    console.log(asked.json ? JSON.stringify(repeated) : text)
    if (refused.length > 0) throw new FatalError(`left as they were: ${refused.join(' ')}`)
    return
  }
  const playerId = connection.toPlayerId(asked.player)
  if (asked.verb === 'erase') {
    const { market, requestedBy, waitMs } = asked
    await erase({ playerId, market, requestedBy, waitMs }, world)
  }
  const proof = await prove(connection, playerId, onProgress)
  console.log(asked.json ? JSON.stringify(proof) : proofText(proof))
  const remaining = left(proof).length
  if (remaining > 0) throw new FatalError(`${playerId} is left in ${remaining} places`)
})
