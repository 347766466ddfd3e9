// What does a proof say to a person?
import { renderTable } from '@churnstream/command-line'
import { left, type Proof } from './core/finding.ts'

export function proofText(proof: Proof): string {
  const { playerId, requests, findings, read, unread } = proof
  const asked =
    requests.length === 0 ? 'no erasure was asked for' : `requests ${requests.join(' ')}`
  const lines = [
    `${playerId}: ${asked}`,
    `read: ${read.records} records, ${read.tables} tables, ${read.objects} objects`,
  ]
  const rows = findings.map(({ place, found, goneAt, because }) => [
    place,
    String(found),
    goneAt === null ? 'LEFT' : `until ${new Date(goneAt).toISOString().slice(0, 10)}`,
    because,
  ])
  if (rows.length > 0) lines.push(renderTable(['where', 'found', 'how long', 'why'], rows))
  const remaining = left(proof).length
  lines.push(
    remaining > 0
      ? `NOT ERASED: the player is in ${remaining} places that nothing clears`
      : findings.length > 0
        ? 'erased: what is found goes by itself at the times given'
        : 'erased: the player is nowhere',
    ...unread.map((place) => `not read: ${place}`),
  )
  return lines.join('\n')
}
