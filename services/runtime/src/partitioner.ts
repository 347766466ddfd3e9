// Which partition does a key belong to?

/**
 * Kafka's default for keyed records: positive murmur2 of the key's bytes, modulo the partitions
 * (org.apache.kafka.common.utils.Utils.murmur2), so that every producer in every language agrees.
 */
export function partitionOf(key: Buffer | string, partitions: number): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  return (murmur2(bytes) & 0x7fffffff) % partitions
}

const multiplier = 0x5bd1e995
const shift = 24

export function murmur2(bytes: Uint8Array): number {
  let hash = 0x9747b28c ^ bytes.length
  const whole = bytes.length & ~3
  for (let i = 0; i < whole; i += 4) {
    let word =
      at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> shift
    word = Math.imul(word, multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  const rest = bytes.length - whole
  if (rest >= 3) hash ^= at(bytes, whole + 2) << 16
  if (rest >= 2) hash ^= at(bytes, whole + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ at(bytes, whole), multiplier)
  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return hash ^ (hash >>> 15)
}

const at = (bytes: Uint8Array, index: number): number => bytes[index] as number
