// What does feature-vector.avsc look like, given the catalogue?
import { catalogue } from '../src/catalogue.ts'

const instant = { type: 'long', logicalType: 'timestamp-millis' }

export function featureVectorSchema(): object {
  return {
    type: 'record',
    name: 'FeatureVector',
    namespace: 'churnstream',
    doc: 'Every feature of one player as of an instant. Derived from the catalogue: do not edit.',
    fields: [
      { name: 'playerId', type: 'string' },
      { name: 'asOf', type: instant, doc: 'Event time that the vector speaks of' },
      { name: 'trigger', type: 'string', doc: 'activity or clock' },
      { name: 'causeEventId', type: 'string' },
      { name: 'causeTopic', type: 'string' },
      { name: 'causePartition', type: 'int' },
      { name: 'causeOffset', type: 'long' },
      ...catalogue.map(({ name, type, unit, meaning }) => ({
        name,
        type: ['null', type],
        default: null,
        doc: `${meaning} (${unit})`,
      })),
    ],
  }
}
