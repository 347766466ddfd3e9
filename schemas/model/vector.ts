// How do the bytes of a feature vector become rows of a model, without an object in between?
import type avro from 'avsc'
import type { Feature } from '../src/catalogue.ts'
import { DecodeProblem, headerBytes, schemaIdOf, typeOf, type RecordDecoder } from '../src/codec.ts'
import { schemaText } from '../src/records.ts'
import type { FeatureVector } from '../src/types.ts'
import {
  Cursor,
  isUnion,
  levelReaderOf,
  readerOf,
  skipperOf,
  type Read,
  type ReadLevel,
  type Skip,
} from './bytes.ts'
import type { Column } from './columns.ts'
import { fillingOf, type Filling } from './filling.ts'
import { ContractProblem } from './problem.ts'

type Carried =
  | 'playerId'
  | 'asOf'
  | 'trigger'
  | 'causeEventId'
  | 'causeTopic'
  | 'causePartition'
  | 'causeOffset'
  | 'market'

/** What a score repeats of its vector; the features stay in the bytes. */
export interface VectorView extends Pick<FeatureVector, Carried> {
  /** The framed record. */
  readonly bytes: Buffer
  readonly layout: VectorLayout
  /** Index in bytes at which layout.features begin. */
  readonly featuresAt: number
}

class View implements VectorView {
  playerId = ''
  asOf = 0
  trigger = ''
  causeEventId = ''
  causeTopic = ''
  causePartition = 0
  causeOffset = 0
  market: string | null = null
  featuresAt = 0
  readonly bytes: Buffer
  readonly layout: VectorLayout
  constructor(bytes: Buffer, layout: VectorLayout) {
    this.bytes = bytes
    this.layout = layout
  }
}

interface Field {
  readonly name: string
  readonly type: avro.Type
}

/** What decoding does next: keep a value, skip one, or skip nullable doubles in a row. */
type Visit =
  | { readonly kind: 'keep'; readonly name: Carried; readonly read: Read; readonly isLong: boolean }
  | { readonly kind: 'skip'; readonly skip: Skip }
  | { readonly kind: 'doubles'; count: number }

/** The fields of one writer schema, in its order. */
export class VectorLayout {
  /** From the first field that may fill a column to the last field of all. */
  readonly features: readonly Field[]
  /** What stands before the features, and what they are. */
  readonly visits: { readonly before: readonly Visit[]; readonly features: readonly Visit[] }

  /** @throws Error when the reader cannot read what the writer writes */
  constructor(reader: avro.Type, writer: avro.Type) {
    // Only to ask whether the writer's records can be read as ours.
    reader.createResolver(writer)
    const { fields } = writer as avro.types.RecordType
    const first = fields.findIndex(({ name }) => name === 'market' || !isCarried(name))
    const split = first < 0 ? fields.length : first
    const readers = new Map((reader as avro.types.RecordType).fields.map((f) => [f.name, f.type]))
    this.features = fields.slice(split)
    this.visits = {
      before: visitsOf(fields.slice(0, split), readers),
      features: visitsOf(this.features, readers),
    }
  }
}

function visitsOf(
  fields: readonly Field[],
  readers: ReadonlyMap<string, avro.Type>,
): readonly Visit[] {
  const visits: Visit[] = []
  for (const { name, type } of fields) {
    const last = visits.at(-1)
    if (isCarried(name)) {
      const isLong = readers.get(name)?.typeName === 'long'
      visits.push({ kind: 'keep', name, read: readerOf(type), isLong })
    } else if (!isNullableDouble(type)) visits.push({ kind: 'skip', skip: skipperOf(type) })
    else if (last?.kind === 'doubles') last.count++
    else visits.push({ kind: 'doubles', count: 1 })
  }
  return visits
}

const isCarried = (name: string): name is Carried => Object.hasOwn(carriedNames, name)
const carriedNames: Record<Carried, true> = {
  playerId: true,
  asOf: true,
  trigger: true,
  causeEventId: true,
  causeTopic: true,
  causePartition: true,
  causeOffset: true,
  market: true,
}

const isNullableDouble = (type: avro.Type): boolean =>
  isUnion(type) && type.types.map(({ typeName }) => typeName).join() === 'null,double'

/** Reads what a score repeats of a vector and checks the rest; accepts what Decoder accepts. */
export class VectorDecoder implements RecordDecoder<VectorView> {
  readonly #reader = typeOf(schemaText('feature-vector'))
  readonly #layouts = new Map<number, VectorLayout | DecodeProblem>()
  readonly #cursor = new Cursor()

  knows(schemaId: number): boolean {
    return this.#layouts.has(schemaId)
  }

  learn(schemaId: number, writer: avro.Type | DecodeProblem): void {
    if (writer instanceof DecodeProblem) {
      this.#layouts.set(schemaId, writer)
      return
    }
    try {
      this.#layouts.set(schemaId, new VectorLayout(this.#reader, writer))
    } catch (error) {
      const detail = `schema ${schemaId} cannot be read as ${this.#reader.name}: ${(error as Error).message}`
      this.#layouts.set(schemaId, new DecodeProblem('incompatible-schema', detail))
    }
  }

  forget(schemaId: number): void {
    this.#layouts.delete(schemaId)
  }

  /** @throws Error when the schema id was never learnt */
  decode(value: Buffer | null): VectorView | DecodeProblem {
    const schemaId = schemaIdOf(value)
    if (schemaId instanceof DecodeProblem) return schemaId
    const layout = this.#layouts.get(schemaId)
    if (layout === undefined) throw new Error(`schema ${schemaId} was not learnt before decoding`)
    if (layout instanceof DecodeProblem) return layout
    const bytes = value as Buffer
    const cursor = this.#cursor
    const view = new View(bytes, layout)
    try {
      cursor.open(bytes, headerBytes)
      visit(layout.visits.before, cursor, view)
      view.featuresAt = cursor.at
      visit(layout.visits.features, cursor, view)
    } catch (error) {
      return new DecodeProblem('undecodable', (error as Error).message)
    }
    if (cursor.at !== bytes.length) {
      return new DecodeProblem(
        'undecodable',
        `${bytes.length - cursor.at} bytes follow the record of schema ${schemaId}`,
      )
    }
    return view
  }
}

function visit(visits: readonly Visit[], cursor: Cursor, view: View): void {
  for (const visit of visits) {
    if (visit.kind === 'doubles') cursor.skipNullableDoubles(visit.count)
    else if (visit.kind === 'skip') visit.skip(cursor)
    else {
      const value = visit.read(cursor)
      // Decoder's limit: avsc gives no long that could have been rounded.
      if (visit.isLong && !(Math.abs(value as number) < Number.MAX_SAFE_INTEGER)) {
        throw new Error(`${visit.name} is no safe integer`)
      }
      view[visit.name] = value as never
    }
  }
}

/** What to do with the next field, or fields, of a writer schema. */
type Step =
  | { readonly kind: 'doubles'; readonly columns: Int32Array }
  | { readonly kind: 'number'; readonly read: Read; readonly column: number }
  | { readonly kind: 'category'; readonly read: ReadLevel; readonly levels: Levels }
  | { readonly kind: 'skip'; readonly skip: Skip }

/** What the known levels of a category put where; -1 for a column that there is not. */
interface Levels {
  readonly texts: readonly Uint8Array[]
  readonly oneHot: readonly number[]
  readonly codes: readonly number[]
  readonly ordinal: number
}

/** Compiled once per model, and once more per writer schema: Avro bytes into rows of float32. */
export class Projection {
  readonly width: number
  /** A row of which nothing is known: NaN, and 0 in a one-hot column. */
  readonly #unknown: Float32Array
  readonly #fillings: readonly Filling[]
  readonly #plans = new WeakMap<VectorLayout, readonly Step[]>()
  readonly #cursor = new Cursor()

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
    const cursor = this.#cursor
    const rows = new Float32Array(vectors.length * width)
    for (let index = 0; index < vectors.length; index++) {
      const view = vectors[index] as VectorView
      const start = index * width
      rows.set(this.#unknown, start)
      cursor.open(view.bytes, view.featuresAt)
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
  switch (step.kind) {
    case 'doubles':
      cursor.fillNullableDoubles(step.columns, rows, start)
      return
    case 'number': {
      const value = step.read(cursor)
      if (value !== null) rows[start + step.column] = value as number
      return
    }
    case 'category': {
      const { texts, oneHot, codes, ordinal } = step.levels
      const level = step.read(cursor, texts)
      if (level < 0) return
      const [hot, code] = [oneHot[level] as number, codes[level] as number]
      if (hot >= 0) rows[start + hot] = 1
      if (code >= 0) rows[start + ordinal] = code
      return
    }
    case 'skip':
      step.skip(cursor)
  }
}

/** The steps up to the last field that fills anything. */
function compile(layout: VectorLayout, fillings: readonly Filling[]): readonly Step[] {
  const filled = new Set(fillings.map(({ feature }) => feature))
  const last = layout.features.findLastIndex(({ name }) => filled.has(name))
  const steps: Step[] = []
  let run: number[] = []
  const endRun = () => {
    if (run.length > 0) steps.push({ kind: 'doubles', columns: Int32Array.from(run) })
    run = []
  }
  for (const { name, type } of layout.features.slice(0, last + 1)) {
    const column = fillings.findIndex((filling) => isNumber(filling, name))
    if (isNullableDouble(type)) {
      run.push(column)
      continue
    }
    endRun()
    if (column >= 0) steps.push({ kind: 'number', read: readerOf(type), column })
    else if (!filled.has(name)) steps.push({ kind: 'skip', skip: skipperOf(type) })
    else
      steps.push({ kind: 'category', read: levelReaderOf(type), levels: levelsOf(name, fillings) })
  }
  endRun()
  return steps
}

const isNumber = ({ kind, feature }: Filling, name: string): boolean =>
  kind === 'numeric' && feature === name

function levelsOf(name: string, fillings: readonly Filling[]): Levels {
  const oneHot = new Map<string, number>()
  const codes = new Map<string, number>()
  let ordinal = -1
  for (const [index, filling] of fillings.entries()) {
    if (filling.feature !== name) continue
    if (filling.kind === 'one-hot') oneHot.set(filling.level, index)
    else if (filling.kind === 'ordinal') {
      ordinal = index
      for (const [code, level] of filling.levels.entries()) codes.set(level, code)
    }
  }
  const known = [...new Set([...oneHot.keys(), ...codes.keys()])]
  return {
    texts: known.map((level) => Buffer.from(level)),
    oneHot: known.map((level) => oneHot.get(level) ?? -1),
    codes: known.map((level) => codes.get(level) ?? -1),
    ordinal,
  }
}
