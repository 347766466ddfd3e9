// Which number, text or instant does a cell of a file hold?

/** Why a row can't be scored: about this row, not about the file or the world. */
export class RowProblem {
  /** A slug. */
  readonly reason: string
  readonly detail: string
  constructor(reason: string, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

export interface NumberColumn {
  readonly name: string
  /** The codes of an ordinal column. */
  readonly levels?: readonly string[]
  /** A one-hot column is 0 or 1: nothing can't stand there. */
  readonly isIndicator: boolean
}

const float32Max = 2 ** 128 - 2 ** 104

/**
 * The cell's number before its one rounding; NaN for nothing. A truth value is 0 or 1, a category
 * its code. In CSV (`isText`) numbers are texts.
 */
export function toNumber(
  cell: unknown,
  column: NumberColumn,
  isText: boolean,
): number | RowProblem {
  // By far the most frequent ones first.
  const isPlainText = isText && typeof cell === 'string' && column.levels === undefined
  const number = isPlainText ? plainNumber(cell) : cell
  if (typeof number === 'number' && Math.abs(number) <= float32Max) {
    return column.levels === undefined ? number : toCode(number, column, column.levels)
  }
  return toUnusualNumber(cell, column, isText)
}

function toUnusualNumber(
  cell: unknown,
  column: NumberColumn,
  isText: boolean,
): number | RowProblem {
  const { name, levels, isIndicator } = column
  let value = cell
  if (levels !== undefined && typeof cell === 'string') {
    const code = levels.indexOf(cell)
    if (code >= 0) return code
    // Codes may stand in a CSV in place of the texts; any other text is an unknown category.
    value = isText ? textNumber(cell) : undefined
    if (value === undefined) return NaN
  } else if (isText && typeof cell === 'string') value = textNumber(cell)
  if (typeof value === 'boolean') value = Number(value)
  if (typeof value === 'bigint') value = Number(value)
  const isEmptyText = isText && cell === ''
  if (cell === null || cell === undefined || isEmptyText || Number.isNaN(value)) {
    if (!isIndicator) return NaN
    return new RowProblem('not-a-number', `${name} is nothing: a one-hot column is 0 or 1`)
  }
  if (typeof value !== 'number') {
    return new RowProblem('not-a-number', `${name} is ${shown(cell)}: the model takes a number`)
  }
  if (Math.abs(value) > float32Max) {
    const detail = `${name} is ${shown(cell)}: beyond the largest float32`
    return new RowProblem('number-too-large', detail)
  }
  return levels === undefined ? value : toCode(value, column, levels)
}

function toCode(
  number: number,
  { name }: NumberColumn,
  levels: readonly string[],
): number | RowProblem {
  if (Number.isInteger(number) && number >= 0 && number < levels.length) return number
  const detail = `${name} is ${number}: its codes are 0 to ${levels.length - 1}`
  return new RowProblem('unknown-code', detail)
}

/** Where a text is due, an empty one says as much as none. */
const isNothing = (cell: unknown): boolean => cell === null || cell === undefined || cell === ''

/** What begins like a decimal number and is one; undefined for anything else. */
function plainNumber(text: string): number | undefined {
  const first = text.charCodeAt(0)
  // Digits, and - . +
  if (!((first >= 48 && first <= 57) || first === 45 || first === 46 || first === 43)) {
    return undefined
  }
  // 0x10, 0b1 and 0o7 are numbers to JavaScript only.
  if (first === 48 && text.length > 1 && text.charCodeAt(1) > 57 && !isExponent(text)) {
    return undefined
  }
  const number = Number(text)
  return Number.isNaN(number) ? undefined : number
}

const isExponent = (text: string): boolean => text[1] === 'e' || text[1] === 'E'

const nothings = new Set(['nan', 'na', 'null', 'none', '<na>'])

/** As pandas and spreadsheets write numbers, truth values and nulls; NaN for the last. */
function textNumber(text: string): number | undefined {
  const lowered = text.trim().toLowerCase()
  if (lowered === 'true' || lowered === 'false') return Number(lowered === 'true')
  if (nothings.has(lowered)) return NaN
  if (/^[-+]?inf(inity)?$/.test(lowered)) return Infinity
  return plainNumber(lowered)
}

/** 1 where the category is this level, else 0, also for nothing. */
export function toIndicator(cell: unknown, feature: string, level: string): number | RowProblem {
  if (typeof cell === 'string') return cell === level ? 1 : 0
  if (isNothing(cell)) return 0
  return new RowProblem('not-a-category', `${feature} is ${shown(cell)}: a category is a text`)
}

const maxTextChars = 200

/** null: there is none. Numbers are taken as they are written, where nothing of them can be lost. */
export function toPlayerId(cell: unknown): string | null | RowProblem {
  if (isNothing(cell)) return null
  if (typeof cell === 'bigint') return String(cell)
  if (typeof cell === 'number') {
    if (Number.isNaN(cell)) return null
    if (Number.isSafeInteger(cell)) return String(cell)
    const detail = `player_id is ${cell}, of which digits may be lost: write it as a text`
    return new RowProblem('bad-player-id', detail)
  }
  return toIdentifier(cell, 'player_id', 'bad-player-id')
}

/** null: there is none. */
export function toMarket(cell: unknown): string | null | RowProblem {
  return isNothing(cell) ? null : toIdentifier(cell, 'market', 'bad-market')
}

function toIdentifier(cell: unknown, name: string, reason: string): string | RowProblem {
  // A control character would be refused later by a database, half a surrogate pair be replaced.
  if (typeof cell === 'string' && cell.length <= maxTextChars) {
    if (!/[\u0000-\u001f\u007f]/.test(cell) && cell.isWellFormed()) return cell
  }
  const rule = `a text of 1 to ${maxTextChars} characters without control characters`
  return new RowProblem(reason, `${name} is ${shown(cell)}: it must be ${rule}`)
}

/** Milliseconds since 1970 were seconds if they were less: March of 1973. */
const earliestMs = 1e11
const latestMs = Date.UTC(10_000, 0, 1)

/** Milliseconds since 1970, of a number or of an ISO date or time (UTC unless it says); null: none. */
export function toInstant(cell: unknown): number | null | RowProblem {
  if (isNothing(cell) || Number.isNaN(cell)) return null
  const ms = toMilliseconds(cell)
  if (ms === undefined || !Number.isInteger(ms)) {
    const detail = `as_of is ${shown(cell)}: it is milliseconds since 1970, or like 2026-11-16 or 2026-11-16T06:00:00Z`
    return new RowProblem('bad-as-of', detail)
  }
  if (ms < earliestMs || ms >= latestMs) {
    const detail = `as_of is ${shown(cell)}: as milliseconds since 1970 that is no time of ours`
    return new RowProblem('bad-as-of', detail)
  }
  return ms
}

function toMilliseconds(cell: unknown): number | undefined {
  if (cell instanceof Date) return cell.getTime()
  if (typeof cell === 'bigint') return Number(cell)
  if (typeof cell === 'number') return cell
  if (typeof cell !== 'string') return undefined
  if (/^\d+(\.0+)?$/.test(cell)) return Number(cell)
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(Z|[+-]\d{2}:?\d{2})?)?$/.exec(
      cell,
    )
  if (match === null) return undefined
  const [, date, time = '00:00', zone = 'Z'] = match
  const colon = /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  return Math.floor(Date.parse(`${date}T${time}${colon}`))
}

const shownChars = 60

/** As JSON, cut short. */
export function shown(cell: unknown): string {
  const text =
    typeof cell === 'bigint' || Object.is(cell, Infinity) || Object.is(cell, -Infinity)
      ? String(cell)
      : (JSON.stringify(cell) ?? String(cell))
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text
}
