// What does an environment come out as, once Kustomize has put it together?
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'

type Labels = Readonly<Record<string, string>>

export interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Labels
  }
  readonly spec?: unknown
  readonly data?: Readonly<Record<string, string>>
}

export interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string }
    readonly fieldRef?: { readonly fieldPath: string }
  }
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string }
  readonly grpc?: object
  readonly exec?: object
  readonly periodSeconds: number
  readonly failureThreshold: number
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly Variable[]
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string }
    readonly secretRef?: { readonly name: string }
  }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly capabilities?: { readonly drop?: readonly string[] }
  }
  readonly resources?: {
    readonly requests?: { readonly cpu?: string; readonly memory?: string }
    readonly limits?: { readonly cpu?: string; readonly memory?: string }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
}

interface SecretSource {
  readonly name: string
  readonly items?: readonly { readonly key: string; readonly path: string }[]
}

export interface Volume {
  readonly name: string
  readonly emptyDir?: { readonly sizeLimit?: string }
  readonly configMap?: { readonly name: string }
  readonly secret?: { readonly secretName: string; readonly items?: SecretSource['items'] }
  readonly projected?: { readonly sources: readonly { readonly secret: SecretSource }[] }
}

export interface Workload extends Resource {
  readonly spec: {
    readonly replicas?: number
    readonly selector: { readonly matchLabels: Labels }
    readonly template: {
      readonly metadata: { readonly labels: Labels }
      readonly spec: {
        readonly serviceAccountName: string
        readonly automountServiceAccountToken?: boolean
        readonly terminationGracePeriodSeconds: number
        readonly securityContext?: {
          readonly runAsNonRoot?: boolean
          readonly seccompProfile?: { readonly type: string }
        }
        readonly topologySpreadConstraints?: readonly object[]
        readonly initContainers?: readonly Container[]
        readonly containers: readonly Container[]
        readonly volumes?: readonly Volume[]
      }
    }
  }
}

const folder = fileURLToPath(new URL('.', import.meta.url))

export const environments = readdirSync(`${folder}overlays`)
  .filter((name) => !name.startsWith('.'))
  .toSorted()

/** The documents of an environment, and the text they were read from. */
export async function render(
  kustomize: string,
  environment: string,
): Promise<{ text: string; resources: readonly Resource[] }> {
  const { stdout } = await promisify(execFile)(
    kustomize,
    ['build', `${folder}overlays/${environment}`],
    { maxBuffer: 1 << 26 },
  )
  const documents = parseAllDocuments(stdout)
  return { text: stdout, resources: documents.map((one) => one.toJS() as Resource) }
}

export const workloadsOf = (resources: readonly Resource[]): Workload[] =>
  resources.filter((one): one is Workload => ['Deployment', 'StatefulSet'].includes(one.kind))

export const containersOf = ({ spec }: Workload): readonly Container[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
]
