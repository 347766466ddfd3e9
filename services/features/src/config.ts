// What does the features service need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'

export const config = baseConfig.extend({ HTTP_PORT: portWithDefault(services.features.port) })
