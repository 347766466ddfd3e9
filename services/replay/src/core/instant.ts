// Which instant does an option name?

/** A date is its first moment, UTC. @throws RangeError that says how it is written */
export function parseInstant(option: string, text: string): number {
  const at = /^\d{12,}$/.test(text) ? Number(text) : isIso(text) ? Date.parse(text) : NaN
  if (Number.isSafeInteger(at)) return at
  throw new RangeError(
    `${option} is ${text}; it should be like 2026-11-16, 2026-11-16T06:00:00Z or 1794787200000`,
  )
}

/** Without a zone a time would mean something else on every machine. */
const isIso = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
