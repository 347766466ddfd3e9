// How do the bytes of a feature vector become rows of a model, without an object in between?
import type avro from 'avsc'
import type { Feature } from '../src/catalogue.ts'
import { DecodeProblem, headerBytes, schemaIdOf, typeOf, type RecordDecoder } from '../src/codec.ts'
import { schemaText } from '../src/records.ts'
import type { FeatureVector } from '../src/types.ts'
import { Cursor, readerOf, type Read } from './bytes.ts'
import type { Column } from './columns.ts'
import { fillingOf, type Filling } from './filling.ts'
import { ContractProblem } from './problem.ts'

const carried = [
  'playerId',
  'asOf',
  'trigger',
  'causeEventId',
  'causeTopic',
  'causePartition',
  'causeOffset',
  'market',
] as const
const carriedNames: ReadonlySet<string> = new Set(carried)

/** What a score repeats of its vector; the features stay in the bytes. */
export interface VectorView extends Pick<FeatureVector, (typeof carried)[number]> {
  readonly bytes: Buffer
  readonly layout: VectorLayout
  /** Where the first feature begins. */
  readonly featuresAt: number
}

interface Field {
  readonly name: string
  /** The two shapes that nearly every field has are read without a call. */
  readonly isNullableDouble: boolean
  readonly isNullableString: boolean
  readonly read: Read
}

/** The fields of one writer schema, in its order. */
export class VectorLayout {
  readonly fields: readonly Field[]
  /** Index of the first field that fills columns. */
  readonly firstFeature: number
  constructor(writer: avro.Type) {
    this.fields = (writer as avro.types.RecordType).fields.map(({ name, type }) => {
      const branches = branchesOf(type)
      return {
        name,
        isNullableDouble: branches === 'null,double',
        isNullableString: branches === 'null,string',
        read: readerOf(type),
      }
    })
    const first = this.fields.findIndex(({ name }) => name === 'market' || !carriedNames.has(name))
    this.firstFeature = first < 0 ? this.fields.length : first
  }
}

function branchesOf(type: avro.Type): string {
  const { types } = type as Partial<avro.types.UnwrappedUnionType>
  return types?.map(({ typeName }) => typeName).join() ?? ''
}

/** Reads what a score repeats of a vector and checks the rest; accepts what Decoder accepts. */
export class VectorDecoder implements RecordDecoder<VectorView> {
  readonly #reader = typeOf(schemaText('feature-vector'))
  readonly #layouts = new Map<number, VectorLayout | DecodeProblem>()

  knows(schemaId: number): boolean {
    return this.#layouts.has(schemaId)
  }

  learn(schemaId: number, writer: avro.Type | DecodeProblem): void {
    if (writer instanceof DecodeProblem) {
      this.#layouts.set(schemaId, writer)
      return
    }
    try {
      // Only to ask whether the writer's records can be read as ours.
      this.#reader.createResolver(writer)
      this.#layouts.set(schemaId, new VectorLayout(writer))
    } catch (error) {
      const detail = `schema ${schemaId} cannot be read as ${this.#reader.name}: ${(error as Error).message}`
      this.#layouts.set(schemaId, new DecodeProblem('incompatible-schema', detail))
    }
  }

  forget(schemaId: number): void {
    this.#layouts.delete(schemaId)
  }

  decode(value: Buffer | null): VectorView | DecodeProblem {
    const schemaId = schemaIdOf(value)
    if (schemaId instanceof DecodeProblem) return schemaId
    const layout = this.#layouts.get(schemaId)
    if (layout === undefined) throw new Error(`schema ${schemaId} was not learnt before decoding`)
    if (layout instanceof DecodeProblem) return layout
    const bytes = value as Buffer
    const cursor = new Cursor(bytes, headerBytes)
    const view: Record<string, unknown> = { market: null, bytes, layout, featuresAt: 0 }
    try {
      const { fields, firstFeature } = layout
      for (let index = 0; index < fields.length; index++) {
        if (index === firstFeature) view['featuresAt'] = cursor.at
        const { name, isNullableDouble, read } = fields[index] as Field
        if (isNullableDouble) {
          if (cursor.branch(2) === 1) cursor.skip(8)
        } else if (carriedNames.has(name)) view[name] = read(cursor)
        else read(cursor)
      }
    } catch (error) {
      return new DecodeProblem('undecodable', (error as Error).message)
    }
    if (cursor.at !== bytes.length) {
      return new DecodeProblem(
        'undecodable',
        `${bytes.length - cursor.at} bytes follow the record of schema ${schemaId}`,
      )
    }
    return view as unknown as VectorView
  }
}

/** What to do with one field of a writer schema: which columns it fills, if any. */
interface Step {
  readonly field: Field
  /** -1 when the field fills no number. */
  readonly column: number
  /** Column of each level; every other level leaves zeros. */
  readonly oneHot: ReadonlyMap<string, number> | undefined
  readonly ordinal: { readonly column: number; readonly levels: readonly string[] } | undefined
}

/** Compiled once per model, and once more per writer schema: Avro bytes into rows of float32. */
export class Projection {
  readonly width: number
  /** A row of which nothing is known: NaN, and 0 in a one-hot column. */
  readonly #unknown: Float32Array
  readonly #fillings: readonly Filling[]
  readonly #plans = new WeakMap<VectorLayout, readonly Step[]>()

  private constructor(fillings: readonly Filling[]) {
    this.width = fillings.length
    this.#fillings = fillings
    this.#unknown = Float32Array.from(fillings, ({ kind }) => (kind === 'one-hot' ? 0 : NaN))
  }

  static of(
    columns: readonly Column[],
    features?: readonly Feature[],
  ): Projection | ContractProblem {
    const fillings = columns.map((column) => fillingOf(column, features))
    const unfilled = columns.filter((_, index) => fillings[index] === undefined)
    if (unfilled.length > 0) {
      const names = unfilled.map(({ name }) => name).join(', ')
      return new ContractProblem('columns-not-in-catalogue', `no feature fills: ${names}`)
    }
    return new Projection(fillings as Filling[])
  }

  /** Row-major, one row a vector; each number is rounded to float32 once. */
  rows(vectors: readonly VectorView[]): Float32Array<ArrayBuffer> {
    const { width } = this
    const rows = new Float32Array(vectors.length * width)
    for (let index = 0; index < vectors.length; index++) {
      const view = vectors[index] as VectorView
      const start = index * width
      rows.set(this.#unknown, start)
      const cursor = new Cursor(view.bytes, view.featuresAt)
      for (const step of this.#planOf(view.layout)) fill(rows, start, step, cursor)
    }
    return rows
  }

  #planOf(layout: VectorLayout): readonly Step[] {
    let plan = this.#plans.get(layout)
    if (plan === undefined) {
      plan = compile(layout, this.#fillings)
      this.#plans.set(layout, plan)
    }
    return plan
  }
}

function fill(rows: Float32Array, start: number, step: Step, cursor: Cursor): void {
  const { field, column } = step
  if (field.isNullableDouble) {
    if (cursor.branch(2) === 0) return
    if (column < 0) cursor.skip(8)
    else rows[start + column] = cursor.double()
    return
  }
  if (field.isNullableString && step.oneHot === undefined && step.ordinal === undefined) {
    if (cursor.branch(2) === 1) cursor.skip(cursor.long())
    return
  }
  const value = field.read(cursor)
  if (typeof value === 'number') {
    if (column >= 0) rows[start + column] = value
  } else if (typeof value === 'string') {
    const hot = step.oneHot?.get(value)
    if (hot !== undefined) rows[start + hot] = 1
    if (step.ordinal) {
      const code = step.ordinal.levels.indexOf(value)
      if (code >= 0) rows[start + step.ordinal.column] = code
    }
  }
}

/** The steps up to the last field that fills anything. */
function compile(layout: VectorLayout, fillings: readonly Filling[]): readonly Step[] {
  const steps = layout.fields.slice(layout.firstFeature).map((field): Step => {
    let column = -1
    const oneHot = new Map<string, number>()
    let ordinal: Step['ordinal']
    for (const [index, filling] of fillings.entries()) {
      if (filling.feature !== field.name) continue
      if (filling.kind === 'numeric') column = index
      else if (filling.kind === 'one-hot') oneHot.set(filling.level, index)
      else ordinal = { column: index, levels: filling.levels }
    }
    return { field, column, oneHot: oneHot.size > 0 ? oneHot : undefined, ordinal }
  })
  const last = steps.findLastIndex(
    ({ column, oneHot, ordinal }) => column >= 0 || oneHot !== undefined || ordinal !== undefined,
  )
  return steps.slice(0, last + 1)
}
