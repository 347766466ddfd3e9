// What does the simulator offer? The one door to simulator/.
export { describe, type Figure } from './core/describe.ts'
export { lateAfterMs, lateShare, latestMs } from './core/delivery.ts'
export { plantKinds, type Plant, type PlantKind } from './core/plants.ts'
export type { Market, Player, Product, Source, World } from './core/player.ts'
export {
  simulate,
  type ClockStep,
  type EventStep,
  type Simulation,
  type Step,
} from './core/population.ts'
export { createRandom } from './core/random.ts'
export { trueLabel, truthOf, type Truth } from './core/truth.ts'
export {
  drive,
  systemTime,
  type Acknowledgement,
  type DriveOptions,
  type DriveReport,
  type Post,
  type Time,
  type Verdict,
} from './driver.ts'
export { postEvents, type PostOptions } from './http-client.ts'
