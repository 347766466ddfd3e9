// Do the network policies let one pod open a connection to another?
import type { Resource } from './rendered.ts'

export type Labels = Readonly<Record<string, string>>

interface Selector {
  readonly matchLabels?: Labels
}

interface Peer {
  readonly podSelector?: Selector
  readonly namespaceSelector?: Selector
  readonly ipBlock?: { readonly cidr: string }
}

interface Rule {
  readonly from?: readonly Peer[]
  readonly to?: readonly Peer[]
  readonly ports?: readonly { readonly port: number }[]
}

interface Policy extends Resource {
  readonly spec: {
    readonly podSelector: Selector
    readonly policyTypes: readonly ('Ingress' | 'Egress')[]
    readonly ingress?: readonly Rule[]
    readonly egress?: readonly Rule[]
  }
}

export const policiesOf = (resources: readonly Resource[]): Policy[] =>
  resources.filter((one): one is Policy => one.kind === 'NetworkPolicy')

const selects = ({ matchLabels = {} }: Selector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value)

/** As Kubernetes decides it: a pod that a policy selects may only do what some policy says. */
export function mayConnect(
  policies: readonly Policy[],
  from: Labels,
  to: Labels,
  port: number,
): boolean {
  const passes = (direction: 'Ingress' | 'Egress', own: Labels, other: Labels): boolean => {
    const ofPod = policies.filter(
      ({ spec }) => spec.policyTypes.includes(direction) && selects(spec.podSelector, own),
    )
    if (ofPod.length === 0) return true
    const rules = ofPod.flatMap(({ spec }) =>
      direction === 'Ingress' ? (spec.ingress ?? []) : (spec.egress ?? []),
    )
    return rules.some(
      ({ from: sources, to: targets, ports }) =>
        (sources ?? targets ?? []).some(
          ({ podSelector, namespaceSelector }) =>
            podSelector !== undefined &&
            namespaceSelector === undefined &&
            selects(podSelector, other),
        ) &&
        (ports === undefined || ports.some((allowed) => allowed.port === port)),
    )
  }
  return passes('Egress', from, to) && passes('Ingress', to, from)
}
