// Are the players still those of the training, and do the scores still tell them apart?
import { monitorMetrics } from '../../../src/index.ts'
import type { Board, Panel } from '../board.ts'

const { state, confirmed, statistic, rows, windowEnd, requests, held } = monitorMetrics
const emptyWhen = 'no window of a monitored model has ended yet'
/** Everybody in all markets; a board for one market is this one with another label. */
const whole = 'market="*",segment="*"'

const ofStatistics = (names: string): string => `${statistic.name}{statistic=~"${names}",${whole}}`
const byVersion = '{{model}} version {{version}} {{role}}'

const figure = (
  title: string,
  about: string,
  unit: string,
  queries: Panel['queries'],
  kind: Panel['kind'] = 'lines',
): Panel => ({ title, about, unit, queries, kind, emptyWhen })

export const driftBoard: Board = {
  uid: 'churnstream-drift',
  title: 'drift and labels',
  about: 'Windows of whole days against the training: quality, drift, estimate, performance.',
  annotations: [],
  rows: [
    {
      title: 'Newest windows',
      panels: [
        figure(
          'State',
          '0 ok, 1 warning, 2 alarm, -1 insufficient data, -2 nothing to compare with',
          'short',
          [
            {
              expr: `max by (model, role, kind) (${state.name}{${whole}})`,
              legend: '{{model}} {{role}} {{kind}}',
            },
          ],
          'number',
        ),
        figure(
          'Confirmed alarms',
          'Markets and segments whose alarm stood in two of three windows',
          'short',
          [{ expr: `sum by (model, kind) (${confirmed.name})`, legend: '{{model}} {{kind}}' }],
          'number',
        ),
        figure(
          'Rows',
          'Of the newest window; below 1,000 nothing is said',
          'short',
          [{ expr: `max by (model, kind) (${rows.name}{${whole}})`, legend: '{{model}} {{kind}}' }],
          'number',
        ),
        figure(
          'End of the window',
          'Event time; performance ends a month before drift, for labels take as long',
          'dateTimeAsIso',
          [
            {
              expr: `max by (model, kind) (${windowEnd.name}{${whole}}) * 1000`,
              legend: '{{model}} {{kind}}',
            },
          ],
          'number',
        ),
      ],
    },
    {
      title: 'Drift',
      panels: [
        figure('Distance from the training, scores', 'PSI of the score', 'short', [
          {
            expr: `${statistic.name}{statistic="psi",subject="score",${whole}}`,
            legend: byVersion,
          },
        ]),
        figure('Distance from the training, ten furthest features', 'PSI of inputs', 'short', [
          {
            expr: `topk(10, ${statistic.name}{statistic="psi",subject!="score",role="champion",${whole}})`,
            legend: '{{model}} {{subject}}',
          },
        ]),
        figure('Null rate, ten highest', 'Inputs that are missing', 'percentunit', [
          {
            expr: `topk(10, ${statistic.name}{statistic="null-rate",role="champion",${whole}})`,
            legend: '{{model}} {{subject}}',
          },
        ]),
      ],
    },
    {
      title: 'Performance',
      panels: [
        figure('AUC', 'Measured on mature labels, and estimated before them', 'short', [
          { expr: ofStatistics('auc|estimated-auc'), legend: `${byVersion} {{statistic}}` },
        ]),
        figure('Log loss', 'The same; lower is better', 'short', [
          {
            expr: ofStatistics('log-loss|estimated-log-loss'),
            legend: `${byVersion} {{statistic}}`,
          },
        ]),
        figure('Calibration', 'Error over ten equal shares of the players', 'short', [
          { expr: ofStatistics('calibration-error'), legend: byVersion },
        ]),
      ],
    },
    {
      title: 'Retraining',
      panels: [
        figure('Asked for', 'Requests of a week, by reason', 'short', [
          {
            expr: `sum by (model, reason) (increase(${requests.name}[7d]))`,
            legend: '{{model}} {{reason}}',
          },
        ]),
        figure('Held back', 'Reasons of a week that a guard held back', 'short', [
          {
            expr: `sum by (model, reason, guard) (increase(${held.name}[7d]))`,
            legend: '{{model}} {{reason}}: {{guard}}',
          },
        ]),
      ],
    },
  ],
}
