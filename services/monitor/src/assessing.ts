// How do parts become windows, and windows requests?
import {
  DecodeProblem,
  Decoder,
  type Encoder,
  type MonitoringPartial,
  type Schemas,
} from '@churnstream/schemas'
import {
  emit,
  skip,
  type ConsumedRecord,
  type OutgoingRecord,
  type Processor,
} from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import { Assessor, type Assessed, type AssessorSettings, type Memory } from './core/assessor.ts'
import type { Profiles } from './profiles.ts'

export interface AssessingEncoders {
  readonly partial: Encoder<'monitoring-partial'>
  readonly state: Encoder<'assessor-state'>
  readonly window: Encoder<'monitoring-window'>
  readonly request: Encoder<'retraining-request'>
}

/** Registers what assessing writes. */
export async function createAssessingEncoders(schemas: Schemas): Promise<AssessingEncoders> {
  return {
    partial: await schemas.encoderOf(topics.monitoringPartials),
    state: await schemas.encoderOf(topics.assessorState),
    window: await schemas.encoderOf(topics.modelMonitoring),
    request: await schemas.encoderOf(topics.retrainingRequests),
  }
}

const memoryKey = 'memory'
const partialKey = (offset: number): string => `partial ${offset}`

/** One partition, so one assessor at a time: whatever it says it says once. */
export function createAssessingProcessor(options: {
  readonly encoders: AssessingEncoders
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly profiles: Profiles
  readonly settings: AssessorSettings
  readonly onAssessed: (assessed: Assessed) => void
}): Processor<MonitoringPartial> {
  const { encoders, schemas, profiles, settings, onAssessed } = options
  const changed = new Map<number, MonitoringPartial | null>()
  let assessor: Assessor | undefined
  let told: Memory | undefined

  const current = (): Assessor => {
    if (assessor === undefined) throw new Error('the assessor was not restored: a bug')
    return assessor
  }

  async function loadProfile({ inputs, cohort }: MonitoringPartial): Promise<void> {
    const { artifactLocation, profileSha256 } = inputs ?? cohort ?? nowhere
    if (artifactLocation !== '') await profiles.load(artifactLocation, profileSha256)
  }

  return {
    async process(_partition, records) {
      for (const { value } of records) await loadProfile(value)
      return records.map(({ value, offset }) => {
        const at = Number(offset)
        if (current().onPartial(at, value) === 'late-partial') return skip('late-partial')
        if (!value.isClock) changed.set(at, value)
        const assessed = current().takeDue()
        for (const done of current().takeDone()) changed.set(done, null)
        onAssessed(assessed)
        return emit([
          ...assessed.windows.map((window): OutgoingRecord => ({
            topic: topics.modelMonitoring.name,
            partition: 0,
            key: window.modelName,
            value: encoders.window.encode(window),
          })),
          ...assessed.requests.map((request): OutgoingRecord => ({
            topic: topics.retrainingRequests.name,
            partition: 0,
            key: request.modelName,
            value: encoders.request.encode(request),
          })),
        ])
      })
    },
    state: {
      changelog: topics.assessorState,
      async restore(_partition, changelog) {
        const restored = new Assessor(settings, (location, sha256) =>
          profiles.loaded(location, sha256),
        )
        const waiting = new Map<string, Buffer>()
        for await (const records of changelog) await load(restored, waiting, records)
        const decoder = new Decoder('monitoring-partial')
        await schemas.prepare(decoder, waiting.values())
        for (const [key, value] of waiting) {
          const partial = decoder.decode(value)
          if (partial instanceof DecodeProblem) throw foreign(key, partial)
          await loadProfile(partial)
          restored.load(Number(key.split(' ')[1]), partial)
        }
        assessor = restored
        told = restored.memory
        changed.clear()
        return waiting.size
      },
      changes() {
        const { memory } = current()
        const state = (key: string, value: Buffer | null): OutgoingRecord => ({
          topic: topics.assessorState.name,
          partition: 0,
          key,
          value,
        })
        const changes = [...changed].map(([offset, partial]) =>
          state(
            partialKey(offset),
            partial &&
              encoders.state.encode({ partial: encoders.partial.encode(partial), memory: null }),
          ),
        )
        changed.clear()
        if (memory === told) return changes
        told = memory
        const text = JSON.stringify(memory)
        return [
          ...changes,
          state(memoryKey, encoders.state.encode({ partial: null, memory: text })),
        ]
      },
      release: () => void (assessor = undefined),
    },
  }

  async function load(
    restored: Assessor,
    waiting: Map<string, Buffer>,
    records: readonly ConsumedRecord[],
  ): Promise<void> {
    const decoder = new Decoder('assessor-state')
    await schemas.prepare(
      decoder,
      records.flatMap(({ value }) => (value === null ? [] : [value])),
    )
    for (const { key: rawKey, value } of records) {
      const key = String(rawKey)
      const state = value === null ? null : decoder.decode(value)
      if (state instanceof DecodeProblem) throw foreign(key, state)
      if (state === null) waiting.delete(key)
      else if (state.partial !== null) waiting.set(key, Buffer.from(state.partial))
      else restored.loadMemory(JSON.parse(state.memory ?? '') as Memory)
    }
  }
}

const nowhere = { artifactLocation: '', profileSha256: '' }

const foreign = (key: string, { detail }: DecodeProblem): Error =>
  new Error(
    `${topics.assessorState.name} holds no state under ${key}: ${detail}. ` +
      'The changelog is ours alone: find out who wrote there.',
  )
