// Who of a group owns which partitions, when several topics belong together?
import { createRequire } from 'node:module'
import type { PartitionAssigner } from 'kafkajs'

const require = createRequire(import.meta.url)

/**
 * Partition p of every topic goes to the same member. kafkajs's own assigner deals out the partitions
 * of all topics in one round, so that a player's records of two topics can end up with two members.
 */
export const coPartitioned =
  (partitions: ReadonlyMap<string, number>): PartitionAssigner =>
  ({ cluster }) => {
    const { AssignerProtocol } = require('kafkajs') as typeof import('kafkajs')
    const name = 'CoPartitioned'
    const version = 0
    return {
      name,
      version,
      async assign({ members, topics }) {
        const sorted = members.map(({ memberId }) => memberId).sort()
        return sorted.map((memberId, index) => {
          const owned = topics.map((topic) => {
            const ids = cluster
              .findTopicPartitionMetadata(topic)
              .map(({ partitionId }) => partitionId)
              .filter((id) => id < (partitions.get(topic) ?? Infinity))
            return [topic, ids.filter((id) => id % sorted.length === index)] as const
          })
          const assignment = Object.fromEntries(owned)
          const userData = Buffer.alloc(0)
          return {
            memberId,
            memberAssignment: AssignerProtocol.MemberAssignment.encode({
              version,
              assignment,
              userData,
            }),
          }
        })
      },
      protocol: ({ topics }) => ({
        name,
        metadata: AssignerProtocol.MemberMetadata.encode({
          version,
          topics,
          userData: Buffer.alloc(0),
        }),
      }),
    }
  }
