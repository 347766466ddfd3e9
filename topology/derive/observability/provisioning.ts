// How do Prometheus and Grafana come to know us, from compose and on Kubernetes?
import { stringify } from 'yaml'
import { fused, processIds, services } from '../../src/index.ts'
import { datasource, toDashboard, type Board } from './board.ts'
import { header, ruleGroups } from './rules.ts'

const toYaml = (...documents: unknown[]): string =>
  header + documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n')

export const dashboardJson = (board: Board): string =>
  `${JSON.stringify(toDashboard(board), null, 2)}\n`

/** Each process is a job, at the name that compose gives it. */
export const prometheusYaml = (): string =>
  toYaml({
    global: { scrape_interval: '15s', evaluation_interval: '15s' },
    rule_files: ['rules.yml'],
    // A name that stands for nobody has no targets: whichever way features and the scorer run.
    scrape_configs: [...processIds.map((id) => services[id]), fused].map(({ name, port }) => ({
      job_name: name,
      dns_sd_configs: [{ names: [name], type: 'A', port }],
    })),
  })

/** An exemplar's trace id leads to a datasource of this uid, where spans are exported to one. */
const datasourceOf = (url: string) => ({
  name: 'Churnstream',
  uid: datasource.uid,
  type: datasource.type,
  access: 'proxy',
  url,
  isDefault: true,
  jsonData: {
    httpMethod: 'POST',
    timeInterval: '15s',
    exemplarTraceIdDestinations: [{ name: 'trace_id', datasourceUid: 'churnstream-traces' }],
  },
})

export const datasourcesYaml = (url: string): string =>
  toYaml({ apiVersion: 1, datasources: [datasourceOf(url)] })

export const dashboardsYaml = (): string =>
  toYaml({
    apiVersion: 1,
    providers: [
      {
        name: 'churnstream',
        folder: 'Churnstream',
        type: 'file',
        disableDeletion: true,
        allowUiUpdates: false,
        options: { path: '/var/lib/grafana/dashboards' },
      },
    ],
  })

/** What the Prometheus operator and Grafana's sidecar pick up by kind and label. */
export function kubernetesYaml(boards: readonly Board[]): string {
  const metadata = (name: string, labels: Record<string, string> = {}) => ({
    name,
    labels: { 'app.kubernetes.io/part-of': 'churnstream', ...labels },
  })
  const monitor = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: metadata('churnstream'),
    spec: {
      // The service's own name is the job, as everywhere else.
      jobLabel: 'app.kubernetes.io/name',
      selector: { matchLabels: { 'app.kubernetes.io/part-of': 'churnstream' } },
      // Ours carry the label service already.
      podMetricsEndpoints: [{ port: 'http', path: '/metrics', interval: '15s', honorLabels: true }],
    },
  }
  const rules = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: metadata('churnstream'),
    spec: { groups: ruleGroups },
  }
  const source = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata('churnstream-datasource', { grafana_datasource: '1' }),
    data: { 'churnstream.yml': datasourcesYaml('http://prometheus-operated:9090') },
  }
  const dashboards = boards.map((board) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata(`${board.uid}-dashboard`, { grafana_dashboard: '1' }),
    data: { [`${board.uid}.json`]: dashboardJson(board) },
  }))
  return toYaml(monitor, rules, source, ...dashboards)
}
