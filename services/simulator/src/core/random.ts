// Where does chance come from, so that the same seed gives the same world?

/**
 * A stream of chance named by a seed and a path. Streams with different paths are independent, so a
 * player draws from their own and nobody else's life depends on it.
 */
export function createRandom(seed: number, ...path: readonly (number | string)[]): Random {
  let hash = mix(0x9e3779b9 ^ seed, Math.floor(seed / 2 ** 32))
  for (const step of path) {
    if (typeof step === 'number') hash = mix(hash, step)
    else for (let i = 0; i < step.length; i++) hash = mix(hash, step.charCodeAt(i) + 0x100)
  }
  return new Random(hash)
}

export type { Random }

/** sfc32, with the distributions that a player's life is made of. */
class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = mix(seed, 1)
    this.#b = mix(seed, 2)
    this.#c = mix(seed, 3)
    for (let i = 0; i < 12; i++) this.uniform()
  }

  /** In [0, 1). */
  uniform(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return (result >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform())
  }

  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform())
  }

  logNormal(median: number, sigma: number): number {
    return median * Math.exp(this.normal(0, sigma))
  }

  /** Marsaglia and Tsang, 2000. */
  gamma(shape: number, scale = 1): number {
    if (shape < 1) return this.gamma(shape + 1, scale) * (1 - this.uniform()) ** (1 / shape)
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = (1 + c * x) ** 3
      if (v <= 0) continue
      if (Math.log(1 - this.uniform()) < x * x * 0.5 + d * (1 - v + Math.log(v))) {
        return d * v * scale
      }
    }
  }

  beta(a: number, b: number): number {
    const x = this.gamma(a)
    return x / (x + this.gamma(b))
  }

  poisson(mean: number): number {
    // Knuth's product underflows for large means; a Poisson is the sum of its halves.
    if (mean > 30) return this.poisson(mean / 2) + this.poisson(mean / 2)
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = this.uniform(); product > limit; product *= this.uniform()) count++
    return count
  }

  /** A Poisson whose mean is Gamma: variance mean + mean² / dispersion. */
  negativeBinomial(mean: number, dispersion: number): number {
    return mean <= 0 ? 0 : this.poisson(this.gamma(dispersion, mean / dispersion))
  }

  /** One of the names, by weight. */
  pick<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    let total = 0
    for (const name in weights) total += weights[name]
    let left = this.uniform() * total
    let last: Name | undefined
    for (const name in weights) {
      left -= weights[name]
      last = name
      if (left < 0) break
    }
    if (last === undefined) throw new RangeError('pick needs at least one name')
    return last
  }
}

/** murmur3's finalizer over both words. */
function mix(hash: number, value: number): number {
  let h = (Math.imul(hash ^ value, 0x85ebca6b) + 0x9e3779b9) | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
