// How often do thresholds fire without drift, and how often with it?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BinCounts, binOf } from './bins.ts'
import { judgeDrift, usualInputSettings } from './inputs.ts'
import type { NumericReference, Profile } from './profile.ts'
import { toShares } from './statistics/shares.ts'
import { stabilityIndex, stabilityPValue } from './statistics/stability-index.ts'
import { normals } from './testing.ts'

const referenceRows = 20_000
const level = 0.001

function referenceOf(draw: () => number, name = 'x'): NumericReference {
  const values = Float64Array.from({ length: referenceRows }, draw).sort()
  const edges = Array.from(
    { length: 9 },
    (_, i) => values[(referenceRows * (i + 1)) / 10] as number,
  )
  const scale = { edges, min: values[0] as number, max: values.at(-1) as number, sd: 1 }
  const bare: NumericReference = {
    kind: 'numeric',
    name,
    scale,
    rows: referenceRows,
    importance: 1,
    shares: Array.from({ length: 11 }, () => 0),
  }
  return { ...bare, shares: toShares(countsOf(bare, values)) }
}

function countsOf(reference: NumericReference, values: Iterable<number>): number[] {
  const counts = reference.shares.map(() => 0)
  for (const value of values) {
    const bin = binOf(reference, value)
    counts[bin] = (counts[bin] as number) + 1
  }
  return counts
}

/** Share of repetitions in which a fixed 0.1 fires, the calibrated index warns, and alarms. */
function rates(n: number, shift: number, repetitions: number) {
  const draw = normals(7 * n + shift * 100)
  let [fixed, warned, alarmed] = [0, 0, 0]
  for (let i = 0; i < repetitions; i++) {
    // The reference is a sample as well, and another one each time.
    const reference = referenceOf(draw)
    const values = Float64Array.from({ length: n }, () => draw() + shift)
    const index = stabilityIndex(reference.shares, toShares(countsOf(reference, values)))
    const isSignificant = stabilityPValue(index, { rows: n, referenceRows, bins: 10 }) < level
    if (index > 0.1) fixed++
    if (isSignificant) warned++
    if (isSignificant && index > usualInputSettings.featureEffect) alarmed++
  }
  return {
    fixed: fixed / repetitions,
    warned: warned / repetitions,
    alarmed: alarmed / repetitions,
  }
}

test('stabilityPValue - without drift a fixed 0.1 fires 40 times of 100 at 100 rows, ours at its level', (t) => {
  for (const n of [100, 300, 1_000]) {
    const { fixed, warned, alarmed } = rates(n, 0, 400)
    t.diagnostic(`n ${n}: fixed 0.1 ${fixed}, calibrated ${warned}, with size ${alarmed}`)
    if (n === 100) assert.ok(fixed > 0.35 && fixed < 0.45, `${fixed}`)
    // At 10 rows a bin the χ² is coarse: that is what the gate of 1000 rows is for.
    assert.ok(warned <= (n === 100 ? 0.015 : 3 * level), `${warned} at ${n} rows`)
    assert.ok(n === 100 || alarmed <= level, `${alarmed} at ${n} rows`)
  }
})

test('stabilityPValue - the power at known shifts', (t) => {
  const table = [
    { n: 1_000, shift: 0.25, warned: [0.95, 1], alarmed: [0, 0.15] },
    { n: 1_000, shift: 0.5, warned: [1, 1], alarmed: [0.99, 1] },
    { n: 5_000, shift: 0.1, warned: [0.6, 1], alarmed: [0, 0] },
    { n: 300, shift: 0.5, warned: [0.98, 1], alarmed: [0.95, 1] },
  ] as const
  for (const { n, shift, ...expected } of table) {
    const found = rates(n, shift, 100)
    t.diagnostic(`n ${n}, shift ${shift} sd: warns ${found.warned}, alarms ${found.alarmed}`)
    for (const kind of ['warned', 'alarmed'] as const) {
      const [low, high] = expected[kind]
      assert.ok(
        found[kind] >= low && found[kind] <= high,
        `${kind} ${found[kind]} at ${n}, ${shift}`,
      )
    }
  }
})

test('judgeDrift - of 34 features none is called drifted by chance in 100 windows', () => {
  const draw = normals(3)
  const features = Array.from({ length: 34 }, (_, i) => referenceOf(draw, `x${i}`))
  const profile: Profile = {
    features,
    score: { shares: Array.from({ length: 20 }, () => 0.05), rows: referenceRows },
    calibration: [],
    auc: undefined,
  }
  const score = Array.from({ length: 200 }, () => 6)
  let drifted = 0
  for (let window = 0; window < 100; window++) {
    const counts = features.map((feature) =>
      countsOf(feature, Float64Array.from({ length: 1_200 }, draw)),
    )
    const { state } = judgeDrift(profile, BinCounts.of(1_200, counts, score), 1, usualInputSettings)
    if (state !== 'ok') drifted++
  }
  assert.ok(drifted <= 1, `${drifted} of 100 windows`)
  const few = BinCounts.of(
    999,
    features.map(({ shares }) => shares.map(() => 0)),
    score,
  )
  assert.equal(judgeDrift(profile, few, 1, usualInputSettings).state, 'insufficient-data')
})
