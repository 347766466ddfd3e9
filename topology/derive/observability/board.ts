// What is a board, and how does Grafana read it?
import { VizLegendOptionsBuilder } from '@grafana/grafana-foundation-sdk/common'
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as HeatmapBuilder } from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

export interface Query {
  readonly expr: string
  readonly legend: string
  /** Why this one may answer with nothing on a healthy system. */
  readonly emptyWhen?: string
}

export interface Panel {
  readonly title: string
  /** What it shows, and what a healthy one looks like. */
  readonly about: string
  readonly kind: 'lines' | 'number' | 'heatmap'
  /** Grafana's name of it. */
  readonly unit: string
  readonly queries: readonly Query[]
  /** Dots that lead from a slow one to its trace. */
  readonly exemplars?: boolean
  /** Why all of them may; of any other panel no answer is a fault. */
  readonly emptyWhen?: string
}

export interface Annotation {
  readonly name: string
  readonly expr: string
  readonly title: string
}

export interface Board {
  readonly uid: string
  readonly title: string
  readonly about: string
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[]
  readonly annotations: readonly Annotation[]
}

/** As the provisioning names it. */
export const datasource = { type: 'prometheus', uid: 'churnstream-prometheus' } as const

const columns = 24
const heights = { lines: 8, number: 4, heatmap: 8 } as const
const widths = { lines: 8, number: 6, heatmap: 12 } as const

export function toDashboard({ uid, title, about, rows, annotations }: Board): Dashboard {
  const builder = new DashboardBuilder(`Churnstream ${title}`)
    .uid(uid)
    .description(about)
    .tags(['churnstream'])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
  for (const { name, expr, title: text } of annotations) {
    builder.annotation(
      new AnnotationQueryBuilder()
        .name(name)
        .datasource(datasource)
        .enable(true)
        .iconColor('blue')
        .expr(expr)
        .titleFormat(text),
    )
  }
  let y = 0
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).gridPos({ x: 0, y, w: columns, h: 1 }))
    y++
    let x = 0
    let height = 0
    for (const panel of row.panels) {
      const [w, h] = [widths[panel.kind], heights[panel.kind]]
      if (x + w > columns) {
        y += height
        x = 0
        height = 0
      }
      builder.withPanel(toPanel(panel).gridPos({ x, y, w, h }))
      x += w
      height = Math.max(height, h)
    }
    y += height
  }
  return builder.build()
}

function toPanel(panel: Panel): TimeseriesBuilder | StatBuilder | HeatmapBuilder {
  const { title, about, unit, queries } = panel
  const builder = builderOf(panel.kind)
    .title(title)
    .description(about)
    .unit(unit)
    .datasource(datasource)
  for (const { expr, legend } of queries) {
    const query = new DataqueryBuilder().expr(expr).legendFormat(legend)
    if (panel.kind === 'heatmap') query.format(PromQueryFormat.Heatmap)
    builder.withTarget(panel.exemplars === true ? query.exemplar(true) : query)
  }
  return builder
}

function builderOf(kind: Panel['kind']): TimeseriesBuilder | StatBuilder | HeatmapBuilder {
  if (kind === 'number') return new StatBuilder()
  if (kind === 'heatmap') return new HeatmapBuilder()
  return new TimeseriesBuilder()
    .lineWidth(1)
    .fillOpacity(8)
    .legend(new VizLegendOptionsBuilder().showLegend(true))
}
