// How is what was verified shown to a person?
import { renderTable } from '@churnstream/command-line'
import type { Verified } from './verify.ts'

const shownBreaches = 20

export function reportText(verified: Verified): string {
  const { breaches, balances, records, largestScoreDifference, inFlight, unchecked } = verified
  const header = ['partition', 'acknowledged', 'scored', 'dead', 'skipped', 'in flight', 'lost']
  const rows = balances.map((b) =>
    [b.partition, b.acknowledged, b.scored, b.deadLettered, b.skipped, b.inFlight, b.lost].map(
      String,
    ),
  )
  const sums = header.map((_, column) =>
    column === 0
      ? 'all'
      : String(rows.reduce((total, row) => total + Number(row[column] as string), 0)),
  )
  const kinds = new Map<string, number>()
  for (const { kind } of breaches) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  return [
    renderTable(header, [...rows, sums], { isRight: () => true }),
    '',
    `${records.activity} events, ${records.vectors} vectors, ${records.outcomes} labels, ` +
      `${records.players} players, ${records.scores} scores, ${records.rows} rows, ` +
      `${records.deadLetters} dead letters; ${inFlight} in flight`,
    `${records.recomputed} scores computed again differ by at most ${largestScoreDifference.toExponential(1)}`,
    ...unchecked.map((what) => `not checked: ${what}`),
    breaches.length === 0
      ? 'no breach'
      : `${breaches.length} breaches: ${[...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ')}`,
    ...breaches
      .slice(0, shownBreaches)
      .map(
        ({ kind, where, detail, eventId }) =>
          `  ${kind} ${where}: ${detail}${eventId === undefined ? '' : ` (event ${eventId})`}`,
      ),
    ...(breaches.length > shownBreaches ? [`  and ${breaches.length - shownBreaches} more`] : []),
  ].join('\n')
}
