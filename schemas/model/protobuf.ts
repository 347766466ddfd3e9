// Which fields does a message of protobuf hold?
import { PbfReader } from 'pbf'

/** Bytes are a text, a message, or packed numbers. */
export type FieldValue = number | Uint8Array

/** Calls for each field in order. @throws Error when it is cut short or no protobuf */
export function fieldsOf(
  bytes: Uint8Array,
  onField: (field: number, value: FieldValue) => void,
): void {
  const reader = new PbfReader(bytes)
  while (reader.pos < bytes.length) {
    const key = reader.readVarint()
    const [field, wireType] = [key >>> 3, key & 7]
    let value: FieldValue
    if (wireType === 0) value = reader.readVarint(true)
    else if (wireType === 1) value = reader.readDouble()
    else if (wireType === 5) value = reader.readFloat()
    else if (wireType === 2) {
      const length = reader.readVarint()
      value = bytes.subarray(reader.pos, reader.pos + length)
      reader.pos += length
    } else throw new Error(`a field of unknown wire type ${wireType} at byte ${reader.pos}`)
    if (field === 0 || !(reader.pos <= bytes.length)) {
      throw new Error(`it ends within field ${field} at byte ${bytes.length}`)
    }
    onField(field, value)
  }
}

/** Appends a repeated number: one field a value, or all of them packed in one. */
export function readNumbers(value: FieldValue, kind: 'float' | 'integer', into: number[]): void {
  if (typeof value === 'number') {
    into.push(value)
    return
  }
  const reader = new PbfReader(value)
  while (reader.pos < value.length) {
    into.push(kind === 'float' ? reader.readFloat() : reader.readVarint(true))
  }
}

export function asBytes(value: FieldValue): Uint8Array {
  if (typeof value === 'number') throw new Error('a number stands where a message should')
  return value
}

export const asText = (value: FieldValue): string => Buffer.from(asBytes(value)).toString('utf8')
