// What does the fused process need from its environment? What the scorer does: features needs no more.
import { scorerConfig } from '@churnstream/scorer'
import { fused } from '@churnstream/topology'

export const config = scorerConfig(fused.port)
