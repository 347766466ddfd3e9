// How is a broker asked what its coordinator decided of a transaction? kafkajs does not know this request.

/** As the coordinator keeps it; undefined for a transactional id that it never saw. */
export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'PrepareEpochFence'
  | 'Dead'

/** The part of kafkajs' protocol encoder that we need. */
export interface Encoder {
  writeBuffer(buffer: Buffer): Encoder
}

export interface ProtocolRequest<T> {
  request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<Encoder> }
  response: { decode(body: Buffer): Promise<Described>; parse(decoded: Described): Promise<T> }
}

interface Described {
  readonly errorCode: number
  readonly state: string
}

const apiKey = 65
const transactionalIdNotFound = 105
/** kafkajs' names, so that who asks again knows them. */
const errorTypes: Readonly<Record<number, string>> = {
  14: 'GROUP_LOAD_IN_PROGRESS',
  15: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  16: 'NOT_COORDINATOR_FOR_GROUP',
  53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
}

/**
 * DescribeTransactions, version 0. It is a flexible version: kafkajs writes and reads headers
 * without their tagged fields, so these stand at the start of our bodies.
 */
export function describeTransaction(
  transactionalId: string,
  createEncoder: () => Encoder,
): ProtocolRequest<TransactionState | undefined> {
  return {
    request: {
      apiKey,
      apiVersion: 0,
      apiName: 'DescribeTransactions',
      async encode() {
        const id = Buffer.from(transactionalId)
        // Tagged fields of the header; one id; tagged fields of the body.
        const parts = [Buffer.from([0, 2]), unsignedVarInt(id.length + 1), id, Buffer.from([0])]
        return createEncoder().writeBuffer(Buffer.concat(parts))
      },
    },
    response: {
      async decode(body) {
        // Tagged fields of the header, throttle time, one state.
        const at = 1 + 4 + 1
        const errorCode = body.readInt16BE(at)
        const id = compactString(body, at + 2)
        return { errorCode, state: compactString(body, id.end).text }
      },
      async parse({ errorCode, state }) {
        if (errorCode === transactionalIdNotFound) return undefined
        if (errorCode === 0) return state as TransactionState
        const error = new Error(`DescribeTransactions answered error code ${errorCode}`)
        throw Object.assign(error, { type: errorTypes[errorCode] ?? `ERROR_${errorCode}` })
      },
    },
  }
}

function unsignedVarInt(value: number): Buffer {
  const bytes: number[] = []
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return Buffer.from([...bytes, left])
    bytes.push((left & 0x7f) | 0x80)
  }
}

function compactString(body: Buffer, start: number): { text: string; end: number } {
  let length = 0
  let at = start
  for (let shift = 0; ; shift += 7) {
    const byte = body.readUInt8(at++)
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  const end = at + Math.max(0, length - 1)
  return { text: body.toString('utf8', at, end), end }
}
