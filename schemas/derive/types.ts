// Which TypeScript interface does each Avro record have?

type AvroType = string | AvroType[] | { type: AvroType; [attribute: string]: unknown }
interface AvroRecord {
  name: string
  doc?: string
  fields: { name: string; type: AvroType; doc?: string }[]
}

const primitives: Record<string, string> = {
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  null: 'null',
}

/** Interfaces for the given records, nested records first. */
export function toTypes(schemas: readonly object[]): string {
  const out: string[] = [
    '// What is the shape of each record? Derived from schemas/avro: do not edit.\n',
  ]
  for (const schema of schemas) writeRecord(schema as AvroRecord, out)
  return out.join('\n')
}

function writeRecord(record: AvroRecord, out: string[]): void {
  const fields = record.fields.map(
    (field) =>
      `${field.doc ? `  /** ${field.doc} */\n` : ''}  ${field.name}: ${toType(field.type, out)}\n`,
  )
  const doc = record.doc ? `/** ${record.doc} */\n` : ''
  out.push(`${doc}export interface ${record.name} {\n${fields.join('')}}\n`)
}

function toType(type: AvroType, out: string[]): string {
  if (typeof type === 'string') {
    const known = primitives[type] ?? (isWritten(type, out) ? type : undefined)
    if (known === undefined) throw new Error(`no TypeScript type for Avro type ${type}`)
    return known
  }
  if (Array.isArray(type)) return type.map((branch) => toType(branch, out)).join(' | ')
  if (type.type === 'array') return `${toType(type['items'] as AvroType, out)}[]`
  if (type.type === 'record') {
    const record = type as unknown as AvroRecord
    writeRecord(record, out)
    return record.name
  }
  return toType(type.type, out)
}

/** A record that was written out before may be named again. */
const isWritten = (name: string, out: readonly string[]): boolean =>
  out.some((text) => text.includes(`export interface ${name} {`))
