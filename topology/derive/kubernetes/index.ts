// Which manifests follow from the topology?
import { kafkaTopics, kafkaUsers } from './kafka.ts'
import { toYaml } from './manifest.ts'
import { listenerPeers, networkPolicies } from './network.ts'
import { scalers } from './scalers.ts'

const folder = 'k8s/base/derived'

/** Content by path. */
export const deriveKubernetes = (): [path: string, content: string][] => [
  [`${folder}/topics.yaml`, toYaml(kafkaTopics())],
  [`${folder}/users.yaml`, toYaml(kafkaUsers())],
  [`${folder}/network-policies.yaml`, toYaml(networkPolicies())],
  [`${folder}/scalers.yaml`, toYaml(scalers())],
  [`${folder}/listener-peers.yaml`, toYaml([listenerPeers()])],
]
