// How long is 30s, 5m or 1h?

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }

/** @throws Error that names the option, with `example` for seconds */
export function parseDurationMs(option: string, text: string, example: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text)
  if (match === null) {
    throw new Error(`${option} takes a time like ${example}, 5m or 1h, not ${text}`)
  }
  return Number(match[1]) * (unitMs[match[2] as string] as number)
}
