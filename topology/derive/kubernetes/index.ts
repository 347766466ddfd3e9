// Which manifests follow from the topology?
import { fusedUser, kafkaTopics, kafkaUsers } from './kafka.ts'
import { toYaml } from './manifest.ts'
import { fusedNetworkPolicy, listenerPeers, networkPolicies } from './network.ts'
import { fusedScaler, scalers } from './scalers.ts'

const folder = 'k8s/base/derived'

/** Content by path. */
export const deriveKubernetes = (): [path: string, content: string][] => [
  [`${folder}/topics.yaml`, toYaml(kafkaTopics())],
  [`${folder}/users.yaml`, toYaml(kafkaUsers())],
  [`${folder}/network-policies.yaml`, toYaml(networkPolicies())],
  [`${folder}/scalers.yaml`, toYaml(scalers())],
  [`${folder}/listener-peers.yaml`, toYaml([listenerPeers()])],
  ['k8s/fused/derived.yaml', toYaml([...fusedUser(), ...fusedNetworkPolicy(), ...fusedScaler()])],
]
