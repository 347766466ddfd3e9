// Which metrics does a PromQL expression ask for, and with which labels?
import { parser } from '@prometheus-io/lezer-promql'

export interface Selector {
  readonly metric: string
  readonly labels: readonly string[]
}

/** @throws Error when it is no PromQL */
export function selectorsIn(expr: string): Selector[] {
  // Grafana fills it in.
  const text = expr.replaceAll('$__rate_interval', '1m')
  const selectors: Selector[] = []
  const cursor = parser.parse(text).cursor()
  do {
    if (cursor.type.isError) throw new Error(`no PromQL at ${cursor.from}: ${text}`)
    if (cursor.name !== 'VectorSelector') continue
    const identifier = cursor.node.getChild('Identifier')
    if (identifier === null) throw new Error(`a selector without a name: ${text}`)
    const matchers = cursor.node.getChild('LabelMatchers')
    const labels: string[] = []
    matchers?.cursor().iterate((node) => {
      if (node.name === 'LabelName') labels.push(text.slice(node.from, node.to))
    })
    selectors.push({ metric: text.slice(identifier.from, identifier.to), labels })
  } while (cursor.next())
  return selectors
}
