// What does each part of the work cost our services?
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from './contenders.ts'
import { drainAll } from './drain.ts'
import type { Task, Window } from './figures.ts'
import type { Lab } from './lab.ts'
import { secondsByPart, shared, type CpuProfile, type Part } from './parts.ts'
import { startRun } from './run.ts'

/** CPU seconds per million events, by process; of the window of one drain, under a profiler. */
export async function partsOf(
  lab: Lab,
  plain: Contender,
  task: Task,
  cores: 1 | 2,
): Promise<Record<string, Record<Part, number>>> {
  const folderOf = (name: string): string => join(lab.dataDir, 'profiles', task, plain.name, name)
  const underProfiler: Contender = {
    ...plain,
    async start(...given) {
      const started = await plain.start(...given)
      const processes = started.processes.map((process) => ({
        ...process,
        args: ['--cpu-prof', `--cpu-prof-dir=${folderOf(process.name)}`, ...process.args],
      }))
      return { ...started, processes }
    },
  }
  const setting = { task, guarantee: 'exactly-once', cores } as const
  let drained: Window
  let pids: Readonly<Record<string, number>>
  {
    await using run = await startRun(lab, underProfiler, setting, 'start')
    drained = await drainAll(lab, run, { contender: plain.name, task })
    pids = run.pids
  }
  // Profiles have the clock of the whole machine.
  const bootMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  const [fromMs, toMs] = [drained.fromMs + bootMs, drained.toMs + bootMs]
  return Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => {
      // Of each thread one; the process that tries models out has another id.
      const files = readdirSync(folderOf(name)).filter((file) => file.split('.')[3] === String(pid))
      const threads = files.map((file) => {
        const text = readFileSync(join(folderOf(name), file), 'utf8')
        return secondsByPart(JSON.parse(text) as CpuProfile, fromMs, toMs)
      })
      const perMillion = ((drained.cpuSeconds[name] as number) * 1e6) / drained.events
      const costs = Object.entries(shared(threads, perMillion)).map(([part, seconds]) => {
        return [part, Number(seconds.toFixed(2))]
      })
      return [name, Object.fromEntries(costs) as Record<Part, number>]
    }),
  )
}
