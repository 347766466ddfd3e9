import { versionTags } from '@churnstream/registry-bridge'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusText, toStatus } from './status.ts'

const nowMs = Date.UTC(2026, 0, 2)
const version = (number: string, tags: Record<string, string>) => ({
  name: 'churn-gb',
  version: number,
  runId: undefined,
  modelId: undefined,
  source: '',
  description: '',
  createdAt: 0,
  tags,
  aliases: [],
})
const known = {
  models: [
    {
      name: 'churn-gb',
      tags: { 'churnstream.pinned': '3' },
      aliases: { champion: '3', challenger: '4', staging: '9' },
    },
    { name: 'churn-default', tags: {}, aliases: {} },
  ],
  versions: [
    version('3', { [versionTags.gate]: 'passed', [versionTags.verdict]: 'accepted' }),
    version('4', {
      [versionTags.verdict]: 'refused',
      [versionTags.verdictReason]: 'too-slow',
      [versionTags.shadow]: '{"rows":120,"agreement":0.97,"scoreShift":0.0123}',
    }),
  ],
  events: [
    {
      announcedAt: nowMs - 120_000,
      event: {
        modelName: 'churn-gb',
        alias: 'champion',
        modelVersion: '3',
        artifactLocation: '',
        files: [],
        epoch: 5,
        origin: 'webhook',
      },
    },
  ],
  reports: [
    {
      modelName: 'churn-gb',
      alias: 'champion',
      replica: 'one:8082',
      scorerVersion: '0.1.0',
      reportedAt: nowMs - 3_000,
      loadedVersion: '3',
      loadedEpoch: 5,
      loadedAt: nowMs - 110_000,
      verdictVersion: '3',
      verdictEpoch: 5,
      verdict: 'accepted',
      reason: '',
      detail: '',
      verdictAt: nowMs - 110_000,
      verdictFigures: [],
      shadowFigures: [],
    },
  ],
}

test('statusText - each alias, each replica, the pin and the challenger beside its champion', () => {
  const text = statusText(toStatus(known), nowMs)
  assert.equal(
    text,
    `churn-default
  alias       stands  announced  gate  verdict
  champion    none
  challenger  none
  previous    none
  no scorer has reported on this model

churn-gb (pinned to version 3)
  alias       stands     announced  gate    verdict
  champion    version 3  2 min ago  passed  accepted
  challenger  version 4  –          –       refused: too-slow
  previous    none
  challenger: 120 rows, same band 97.0 %, score shift 0.0123, – µs a row (champion –)
  replica   as        has loaded  epoch  since      last verdict  heard
  one:8082  champion  version 3   5      2 min ago  accepted 3    3 s ago`,
  )
})

test('toStatus - instants are ISO 8601, and an announcement of another version is not taken', () => {
  const [, gb] = toStatus(known)
  assert.equal(gb?.champion?.announcedAt, '2026-01-01T23:58:00.000Z')
  const stale = known.events.map(({ event, announcedAt }) => ({
    announcedAt,
    event: { ...event, modelVersion: '2' },
  }))
  assert.equal(toStatus({ ...known, events: stale })[1]?.champion?.announcedAt, null)
})

test('statusText - no model at all is said', () => {
  assert.match(statusText([], nowMs), /no model; import or train one/)
})
