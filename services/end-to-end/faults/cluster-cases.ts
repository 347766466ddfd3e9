// What may happen to brokers of which there are three?
import { setTimeout as delay } from 'node:timers/promises'
import { outageMs, someEvents, type FaultCase } from './fault-case.ts'

const brokers = ['kafka', 'kafka2', 'kafka3'] as const

/** Leads a third of the partitions, and coordinates a third of the groups and transactions. */
const oneOfThree = brokers.map((name): FaultCase => ({
  name: `of three brokers, ${name} killed and back`,
  lab: 'cluster',
  async run(lab) {
    const server = lab.pipeline.stack.servers[name]
    const exit = await server.kill9()
    await lab.more(someEvents * 3)
    await server.start()
    await lab.more(someEvents * 3)
    return exit.asked ? 1 : 0
  },
}))

const rollingBrokers: FaultCase = {
  name: 'of three brokers, each restarted in turn',
  lab: 'cluster',
  async run(lab) {
    for (const name of brokers) {
      const server = lab.pipeline.stack.servers[name]
      await server.stop()
      await lab.more(someEvents)
      await server.start()
      await lab.more(someEvents * 3)
    }
    return brokers.length
  },
}

/** One alone may not acknowledge anything: events wait, and none is lost. */
const twoOfThree: FaultCase = {
  name: 'of three brokers, two killed and back',
  lab: 'cluster',
  async run(lab) {
    const { kafka2, kafka3 } = lab.pipeline.stack.servers
    await Promise.all([kafka2.kill9(), kafka3.kill9()])
    await delay(outageMs)
    await Promise.all([kafka2.start(), kafka3.start()])
    return 2
  },
}

/** Long enough to lose its partitions; then it wakes and believes to lead them. */
const frozenOfThree: FaultCase = {
  name: 'of three brokers, one frozen past its session',
  lab: 'cluster',
  async run(lab) {
    const { kafka } = lab.pipeline.stack.servers
    kafka.pause()
    await delay(15_000)
    kafka.resume()
    await lab.more(someEvents)
    return 1
  },
}

export const clusterCases: readonly FaultCase[] = [
  ...oneOfThree,
  rollingBrokers,
  twoOfThree,
  frozenOfThree,
]
