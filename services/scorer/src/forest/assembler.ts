// How is a WebAssembly module written down? Instructions as bytes, and the sections around them.
// https://webassembly.github.io/spec/core/binary/

/** Instructions, or one. They nest as expressions: the operands come first, then the operator. */
export type Code = readonly number[]

export interface WasmFunction {
  /** Numbers of i32 parameters; nothing is returned. */
  readonly parameters: number
  readonly locals: Readonly<Partial<Record<LocalType, number>>>
  readonly body: Code
}
type LocalType = 'i32' | 'f32' | 'v128'

const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const

/** The name of the format, its version. */
const start = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** A module with one memory; the last of its functions and the memory are exported. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const signatures = functions.map(({ parameters }) => [
    0x60,
    ...vector(Array.from({ length: parameters }, () => [types.i32])),
    ...vector([]),
  ])
  return Uint8Array.from([
    ...start,
    ...section(1, vector(signatures)),
    ...section(2, vector([[...text('forest'), ...text('memory'), 0x02, 0x00, 0x01]])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector([[...text('run'), 0x00, ...unsigned(functions.length - 1)]])),
    ...section(10, vector(functions.map(bodyOf))),
  ])
}

function bodyOf({ locals, body }: WasmFunction): Code {
  const kinds = (Object.entries(locals) as [LocalType, number][]).map(([type, count]) => [
    ...unsigned(count),
    types[type],
  ])
  const code = [...vector(kinds), ...body, 0x0b]
  return [...unsigned(code.length), ...code]
}

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content]
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()]
const text = (value: string): Code => vector([...Buffer.from(value)].map((byte) => [byte]))

function unsigned(value: number): Code {
  const bytes: number[] = []
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) + 0x80)
  return [...bytes, value]
}

function signed(value: number): Code {
  const bytes: number[] = []
  for (; value < -0x40 || value >= 0x40; value >>= 7) bytes.push((value & 0x7f) | 0x80)
  return [...bytes, value & 0x7f]
}

const operator =
  (...code: number[]) =>
  (...operands: Code[]): Code => [...operands.flat(), ...code]
/** SIMD, relaxed SIMD from 0x100 on. */
const vectorOperator = (code: number) => operator(0xfd, ...unsigned(code))
/** Of 1, 2, 4 or 16 bytes; a multiple as an address is faster, and not asked for. */
const access =
  (...code: number[]) =>
  (address: Code, offset = 0, ...operands: Code[]): Code => [
    ...address,
    ...operands.flat(),
    ...code,
    0,
    ...unsigned(offset),
  ]
const vectorAccess = (code: number) => access(0xfd, ...unsigned(code))

export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)]
export const tee = (local: number, value: Code): Code => [...value, 0x22, ...unsigned(local)]
export const call = (index: number, ...operands: Code[]): Code => [
  ...operands.flat(),
  0x10,
  ...unsigned(index),
]
/** Repeats the body while what follows it is not 0: the body runs once at least. */
export const repeat = (body: Code, again: Code): Code => [
  0x03,
  0x40,
  ...body,
  ...again,
  0x0d,
  0,
  0x0b,
]
export const when = (condition: Code, then: Code, otherwise: Code = []): Code => [
  ...condition,
  0x04,
  0x40,
  ...then,
  ...(otherwise.length === 0 ? [] : [0x05, ...otherwise]),
  0x0b,
]

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load: access(0x28),
  load8s: access(0x2c),
  load8u: access(0x2d),
  load16u: access(0x2f),
  store8: access(0x3a),
  equal: operator(0x46),
  lessUnsigned: operator(0x49),
  greaterSigned: operator(0x4a),
  /** The first where the third is not 0, else the second. */
  select: operator(0x1b),
  add: operator(0x6a),
  subtract: operator(0x6b),
  multiply: operator(0x6c),
  and: operator(0x71),
  or: operator(0x72),
  exclusiveOr: operator(0x73),
  shiftLeft: operator(0x74),
  shiftRight: operator(0x76),
} as const

export const f32 = {
  load: access(0x2a),
  store: access(0x38),
  notEqual: operator(0x5c),
  lessOrEqual: operator(0x5f),
  add: operator(0x92),
} as const

export const v128 = {
  load: vectorAccess(0x00),
  load8Splat: vectorAccess(0x07),
  load32Zero: vectorAccess(0x5c),
  load32Lane: (lane: number, address: Code, into: Code): Code => [
    ...address,
    ...into,
    0xfd,
    0x56,
    0,
    0,
    lane,
  ],
  store: vectorAccess(0x0b),
  zero: [0xfd, 0x0c, ...Array.from({ length: 16 }, () => 0)],
} as const

export const i8x16 = {
  extract: (lane: number, value: Code): Code => [...value, 0xfd, 0x16, lane],
  greaterSigned: vectorOperator(0x27),
  negate: vectorOperator(0x61),
  add: vectorOperator(0x6e),
  /** Lanes of the first where the third is all ones, of the second where it is 0. */
  select: vectorOperator(0x109),
} as const

export const f32x4 = { add: vectorOperator(0xe4) } as const
