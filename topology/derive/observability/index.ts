// Which files does watching Churnstream need, derived from its topology?
import { boards } from './boards/index.ts'
import {
  dashboardJson,
  dashboardsYaml,
  datasourcesYaml,
  kubernetesYaml,
  prometheusYaml,
} from './provisioning.ts'
import { ruleGroups, ruleTestsYaml, rulesYaml } from './rules.ts'

export type { Board, Panel } from './board.ts'
export { boards, ruleGroups }

const prometheus = 'observability/prometheus'
const grafana = 'observability/grafana'

/** Content by path. */
export function deriveObservability(): [path: string, content: string][] {
  return [
    [`${prometheus}/rules.yml`, rulesYaml()],
    [`${prometheus}/rules.test.yml`, ruleTestsYaml('rules.yml')],
    [`${prometheus}/prometheus.yml`, prometheusYaml()],
    [`${grafana}/provisioning/datasources/churnstream.yml`, datasourcesYaml('http://prometheus:9090')],
    [`${grafana}/provisioning/dashboards/churnstream.yml`, dashboardsYaml()],
    ...boards.map((board): [string, string] => [
      `${grafana}/dashboards/${board.uid}.json`,
      dashboardJson(board),
    ]),
    ['observability/kubernetes/churnstream.yml', kubernetesYaml(boards)],
  ]
}
