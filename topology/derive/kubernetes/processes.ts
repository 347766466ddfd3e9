// Which processes of ours run there, and what does each ask of its place?
import {
  placements,
  services,
  type Placement,
  type Service,
  type ServiceId,
} from '../../src/index.ts'

export interface Process extends Service {
  readonly placement: Placement
}

export const processes: readonly Process[] = Object.entries<Placement>(placements).map(
  ([id, placement]) => ({ ...services[id as ServiceId], placement }),
)
