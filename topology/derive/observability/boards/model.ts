// Which model serves, since when, and what became of the versions that should?
import { bridgeMetrics, scorerMetrics } from '../../../src/index.ts'
import type { Board } from '../board.ts'

const rate = '[$__rate_interval]'
const { modelLoaded, modelEpoch, modelRefused, refused, swapSeconds, scores, score } = scorerMetrics
const { announcedEpoch, registryRead, subscribed, events, deliveries, rollbacks } = bridgeMetrics

export const modelBoard: Board = {
  uid: 'churnstream-model',
  title: 'model',
  about: 'What each alias names, what is loaded, how swaps went, what the scores look like.',
  annotations: [
    {
      name: 'Swaps',
      expr: `changes(${modelEpoch.name}{key=~".+@champion"}[1m]) > 0`,
      title: '{{key}} moved',
    },
  ],
  rows: [
    {
      title: 'Serving',
      panels: [
        {
          title: 'Model age',
          about: 'Time since the version was loaded that stands under each alias',
          kind: 'number',
          unit: 's',
          queries: [
            {
              expr: `time() - min by (key, version) (${modelLoaded.name})`,
              legend: '{{key}} version {{version}}',
            },
          ],
        },
        {
          title: 'Epochs behind',
          about: 'Newest epoch announced less the oldest one loaded: 0 unless a swap is under way',
          kind: 'number',
          unit: 'short',
          queries: [
            {
              expr: `max by (key) (${announcedEpoch.name}) - on (key) min by (key) (${modelEpoch.name})`,
              legend: '{{key}}',
            },
          ],
        },
        {
          title: 'Refused',
          about: '1: the newest version of this alias was refused or left its guard',
          kind: 'number',
          unit: 'short',
          queries: [{ expr: `max by (key) (${modelRefused.name})`, legend: '{{key}}' }],
        },
        {
          title: 'MLflow read',
          about: 'Time since it was last read whole, and whether it has our webhook',
          kind: 'number',
          unit: 's',
          queries: [
            { expr: `time() - max(${registryRead.name})`, legend: 'read ago' },
            { expr: `max(${subscribed.name})`, legend: 'webhook' },
          ],
        },
      ],
    },
    {
      title: 'Scores',
      panels: [
        {
          title: 'Scores, by version',
          about: 'A swap hands over from one line to the next',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (model, version) (rate(${scores.name}${rate}))`,
              legend: '{{model}} version {{version}}',
            },
          ],
        },
        {
          title: 'Mean score',
          about: 'Moves with the players, and with the model: look at the swaps first',
          kind: 'lines',
          unit: 'percentunit',
          queries: [
            {
              expr: `sum(rate(${score.name}_sum${rate})) / sum(rate(${score.name}_count${rate}))`,
              legend: 'mean',
            },
          ],
        },
        {
          title: 'Distribution of scores',
          about: 'Scores of the champions in twenty bins',
          kind: 'heatmap',
          unit: 'short',
          queries: [
            { expr: `sum by (le) (increase(${score.name}_bucket${rate}))`, legend: '{{le}}' },
          ],
        },
      ],
    },
    {
      title: 'Versions',
      panels: [
        {
          title: 'Swap',
          about: 'From the announcement to the version being loaded, gates included',
          kind: 'lines',
          unit: 's',
          queries: [
            {
              expr: `sum(increase(${swapSeconds.name}_sum[1h])) / sum(increase(${swapSeconds.name}_count[1h]))`,
              legend: 'mean of an hour',
              emptyWhen: 'no version was loaded in the last hour',
            },
          ],
        },
        {
          title: 'Refusals, by reason',
          about: 'Versions that were not taken, or left their guard; the reason stands in MLflow too',
          kind: 'lines',
          unit: 'short',
          emptyWhen: 'no version was refused',
          queries: [
            {
              expr: `sum by (key, reason) (increase(${refused.name}[1h]))`,
              legend: '{{key}} {{reason}}',
            },
          ],
        },
        {
          title: 'Rollbacks',
          about: 'Automatic ones, by what came of them',
          kind: 'lines',
          unit: 'short',
          queries: [
            {
              expr: `sum by (result) (increase(${rollbacks.name}[1h]))`,
              legend: '{{result}}',
            },
          ],
        },
        {
          title: 'How changes were found',
          about: 'reconcile: no webhook told of it',
          kind: 'lines',
          unit: 'short',
          queries: [
            { expr: `sum by (origin) (increase(${events.name}[1h]))`, legend: '{{origin}}' },
          ],
        },
        {
          title: 'Webhook deliveries',
          about: 'By what became of them; bad-signature is somebody else',
          kind: 'lines',
          unit: 'short',
          emptyWhen: 'MLflow delivered nothing yet',
          queries: [
            { expr: `sum by (result) (increase(${deliveries.name}[1h]))`, legend: '{{result}}' },
          ],
        },
      ],
    },
  ],
}
