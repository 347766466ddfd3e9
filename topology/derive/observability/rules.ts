// What do Prometheus and promtool read of our alerts?
import { stringify } from 'yaml'
import { runbookOf, type Alert } from './alert.ts'
import { alerts } from './alerts.ts'
import { recordingsOf, serviceLevels } from './slo.ts'

export const header = '# Derived from topology/derive/observability: do not edit, run npm run derive.\n'
const toYaml = (value: unknown): string => header + stringify(value, { lineWidth: 0 })

/** Severity decides who is told; nothing here is about where. */
export const ruleGroups = [
  ...serviceLevels.map((level) => ({ name: `slo-${level.name}`, rules: recordingsOf(level) })),
  { name: 'alerts', rules: alerts.map(toRule) },
]

export const rulesYaml = (): string => toYaml({ groups: ruleGroups })

/** For promtool test rules: of each alert the case that fires and the one that stays quiet. */
export function ruleTestsYaml(rulesFile: string, of: readonly Alert[] = alerts): string {
  const tests = of.flatMap(({ name, cases }) =>
    (['fires', 'quiet'] as const).map((kind) => ({
      name: `${name} ${kind}`,
      interval: '1m',
      input_series: Object.entries(cases[kind].series).map(([series, values]) => ({
        series,
        values,
      })),
      promql_expr_test: [
        {
          // Alone: what an alert sees must not depend on which others fire beside it.
          expr: `count(ALERTS{alertname="${name}",alertstate="firing"}) > bool 0`,
          eval_time: cases[kind].at,
          exp_samples: kind === 'fires' ? [{ labels: '{}', value: 1 }] : [],
        },
      ],
    })),
  )
  return toYaml({ rule_files: [rulesFile], evaluation_interval: '1m', tests })
}

function toRule(alert: Alert) {
  const { name, expr, severity, summary } = alert
  return {
    alert: name,
    expr,
    for: alert.for,
    labels: { severity },
    annotations: { summary, runbook_url: runbookOf(alert) },
  }
}
