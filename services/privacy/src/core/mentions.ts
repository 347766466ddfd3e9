// Do these bytes name a player?

/** What stands beside a name that stands for itself, in keys, in JSON and in CSV. */
const isEdge = (byte: number | undefined): boolean =>
  byte === undefined || byte <= 0x20 || '",;:/[]{}=&\''.includes(String.fromCharCode(byte))

/** A text of Avro has its length before it, in bytes, as a zigzag varint. */
function avroPrefixOf(bytes: number): Uint8Array {
  const prefix: number[] = []
  for (let rest = bytes * 2; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...prefix, rest])
    prefix.push((rest & 0x7f) | 0x80)
  }
}

/** Looks for one name, and not for longer ones that contain it. */
export function createMentions(playerId: string): (bytes: Buffer) => boolean {
  const needle = Buffer.from(playerId)
  const prefix = Buffer.from(avroPrefixOf(needle.length))
  return (bytes) => {
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
      const before = bytes.subarray(Math.max(0, at - prefix.length), at)
      if (before.equals(prefix)) return true
      if (isEdge(bytes[at - 1]) && isEdge(bytes[at + needle.length])) return true
    }
    return false
  }
}
