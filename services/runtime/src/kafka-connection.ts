// Where is the cluster, and as whom is it entered?
import { z } from 'zod'
import { FatalError } from './errors.ts'
import { createMskTokens, type AwsCredentials } from './kafkajs/msk-token.ts'
import { readNamedFile } from './named-file.ts'

const list = z
  .string()
  .min(1)
  .transform((servers) => servers.split(',').map((server) => server.trim()))

/** Of Kafka and its schema registry: the same for services and commands. */
export const clusterConfig = z.object({
  KAFKA_BOOTSTRAP_SERVERS: list,
  /** Passwords go over TLS or not at all, so there is no SASL_PLAINTEXT. */
  KAFKA_SECURITY_PROTOCOL: z.enum(['PLAINTEXT', 'SSL', 'SASL_SSL']).default('PLAINTEXT'),
  /** PEM of who signs the brokers' certificates; Node's own list unless told. */
  KAFKA_TLS_CA_FILE: z.string().min(1).optional(),
  KAFKA_SASL_MECHANISM: z.enum(['SCRAM-SHA-512', 'AWS_MSK_IAM']).default('SCRAM-SHA-512'),
  /** Of the cluster, for AWS_MSK_IAM; whose role it is says AWS's own chain of credentials. */
  AWS_REGION: z.string().min(1).optional(),
  KAFKA_SASL_USERNAME: z.string().min(1).optional(),
  KAFKA_SASL_PASSWORD: z.string().min(1).optional(),
  SCHEMA_REGISTRY_URL: z.url(),
  SCHEMA_REGISTRY_USERNAME: z.string().min(1).optional(),
  SCHEMA_REGISTRY_PASSWORD: z.string().optional(),
})

export type ClusterConfig = z.output<typeof clusterConfig>

export interface KafkaConnection {
  readonly brokers: readonly string[]
  readonly tls?: { readonly ca?: string }
  readonly sasl?:
    | { readonly username: string; readonly password: string }
    /** A token of OAUTHBEARER that is good now. */
    | { readonly token: () => Promise<string> }
}

/** @throws FatalError when what the protocol needs is missing or cannot be read */
export function toKafkaConnection(config: ClusterConfig): KafkaConnection {
  const { KAFKA_BOOTSTRAP_SERVERS: brokers, KAFKA_SECURITY_PROTOCOL: protocol } = config
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = config
  if (protocol === 'PLAINTEXT') {
    // Set by mistake it would look like protection.
    if (username === undefined && config.KAFKA_TLS_CA_FILE === undefined) return { brokers }
    throw new FatalError('KAFKA_SECURITY_PROTOCOL must be SSL or SASL_SSL for what else is set')
  }
  const caFile = config.KAFKA_TLS_CA_FILE
  const tls = caFile === undefined ? {} : { ca: readNamedFile('KAFKA_TLS_CA_FILE', caFile) }
  if (protocol === 'SSL') return { brokers, tls }
  if (config.KAFKA_SASL_MECHANISM === 'AWS_MSK_IAM') {
    const { AWS_REGION: region } = config
    if (region === undefined) throw new FatalError('AWS_MSK_IAM needs AWS_REGION')
    return { brokers, tls, sasl: { token: mskTokens(region) } }
  }
  if (username === undefined || password === undefined) {
    throw new FatalError('SASL_SSL needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE')
  }
  return { brokers, tls, sasl: { username, password } }
}

/** As `Schemas` takes it. */
export function toRegistryConnection(config: ClusterConfig): {
  readonly url: string
  readonly auth?: { username: string; password: string }
} {
  const { SCHEMA_REGISTRY_URL: url, SCHEMA_REGISTRY_USERNAME: username } = config
  if (username === undefined) return { url }
  return { url, auth: { username, password: config.SCHEMA_REGISTRY_PASSWORD ?? '' } }
}

function mskTokens(region: string): () => Promise<string> {
  let credentials: Promise<() => Promise<AwsCredentials>> | undefined
  return createMskTokens({
    region,
    now: Date.now,
    async credentials() {
      // Only for who is on AWS: the others need not load it.
      credentials ??= import('@aws-sdk/credential-provider-node').then(({ defaultProvider }) =>
        defaultProvider(),
      )
      return (await credentials)()
    },
  })
}
