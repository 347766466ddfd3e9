// How large does a χ² variable get by chance?

/**
 * P(X > x) for X ~ χ²(degrees): the regularised upper incomplete gamma function Q(degrees/2, x/2),
 * by its series below the mean and by its continued fraction (modified Lentz) above it.
 * DLMF 8.11.4 and 8.9.2, https://dlmf.nist.gov/8. Relative error about 1e-14.
 * @param degrees of freedom, positive
 */
export function chiSquaredTail(x: number, degrees: number): number {
  if (!(degrees > 0)) throw new RangeError(`degrees of freedom must be positive: ${degrees}`)
  if (Number.isNaN(x)) return NaN
  if (x <= 0) return 1
  if (x === Infinity) return 0
  const a = degrees / 2
  const z = x / 2
  const scale = Math.exp(a * Math.log(z) - z - logGamma(a))
  return z < a + 1 ? 1 - scale * lowerSeries(a, z) : scale * upperFraction(a, z)
}

/**
 * The x with P(X > x) = tail. Wilson and Hilferty's cube as a start (Biometrika 1931), then bisection
 * on the exact tail.
 * @param tail between 0 and 1, both exclusive
 */
export function chiSquaredQuantile(tail: number, degrees: number): number {
  if (!(tail > 0 && tail < 1)) throw new RangeError(`tail must be between 0 and 1: ${tail}`)
  if (!(degrees > 0)) throw new RangeError(`degrees of freedom must be positive: ${degrees}`)
  const k = 2 / (9 * degrees)
  const start = degrees * (1 - k + normalQuantile(1 - tail) * Math.sqrt(k)) ** 3
  let low = 0
  let high = Math.max(1, start)
  while (chiSquaredTail(high, degrees) > tail) {
    low = high
    high *= 2
  }
  for (let step = 0; step < 200 && high - low > 1e-13 * high; step++) {
    const middle = (low + high) / 2
    if (chiSquaredTail(middle, degrees) > tail) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(|Z| > |z|) of a standard normal: its square is χ² with one degree of freedom. */
export const normalTwoSidedTail = (z: number): number => chiSquaredTail(z * z, 1)

/** Abramowitz and Stegun 26.2.23, to 5e-4: only ever a start. */
function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)))
  const value =
    t -
    (2.515517 + 0.802853 * t + 0.010328 * t * t) /
      (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3)
  return p < 0.5 ? -value : value
}

/** Σ zⁿ / (a (a+1) … (a+n)). */
function lowerSeries(a: number, z: number): number {
  let term = 1 / a
  let sum = term
  for (let n = 1; n < 10_000; n++) {
    term *= z / (a + n)
    sum += term
    if (term < sum * 1e-16) break
  }
  return sum
}

function upperFraction(a: number, z: number): number {
  const tiny = 1e-300
  let b = z + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let fraction = d
  for (let n = 1; n < 10_000; n++) {
    const step = -n * (n - a)
    b += 2
    d = step * d + b
    if (Math.abs(d) < tiny) d = tiny
    c = b + step / c
    if (Math.abs(c) < tiny) c = tiny
    d = 1 / d
    const factor = d * c
    fraction *= factor
    if (Math.abs(factor - 1) < 1e-16) break
  }
  return fraction
}

/** Lanczos' approximation with g = 7 and 9 terms: https://en.wikipedia.org/wiki/Lanczos_approximation */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
]

function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const y = x - 1
  const t = y + 7.5
  const sum = lanczos.reduce((total, term, n) => (n === 0 ? term : total + term / (y + n)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(sum)
}
