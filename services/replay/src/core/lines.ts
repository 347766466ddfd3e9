// Which lines do chunks of bytes hold?

/** Longer lines hold no event: they are cut off, so that a file without line breaks is no trouble. */
export const maxLineBytes = 1 << 20

export interface Line {
  /** From 0. */
  readonly row: number
  readonly bytes: Uint8Array
}

/** Lines without their ends; empty ones are counted and left out. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line[]> {
  let row = 0
  let rest: Uint8Array = new Uint8Array()
  for await (const chunk of chunks) {
    const lines: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const bytes = trimmed(joined(rest, chunk.subarray(start, end)))
      rest = new Uint8Array()
      if (bytes.length > 0) lines.push({ row, bytes })
      row++
      start = end + 1
    }
    rest = joined(rest, chunk.subarray(start)).subarray(0, maxLineBytes + 1)
    if (lines.length > 0) yield lines
  }
  const bytes = trimmed(rest)
  if (bytes.length > 0) yield [{ row, bytes }]
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  if (b.length === 0 || a.length > maxLineBytes) return a
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** Without the carriage return of a line that was written on Windows, and without blanks. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && isBlank(bytes[end - 1] as number)) end--
  return bytes.subarray(0, end)
}

const isBlank = (byte: number): boolean => byte === 32 || byte === 9 || byte === 13
