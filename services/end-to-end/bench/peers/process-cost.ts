// What has a process cost so far, and on which processor does it run?
import { familyOf } from '@churnstream/topology/local'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

const ticksPerSecond = 100

/** User and system time of all its threads, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Of all programs on this machine together. */
export function cpuSecondsOfAll(): number {
  const busyMs = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq)
  return busyMs.reduce((sum, ms) => sum + ms, 0) / 1000
}

/** The most that was ever resident. */
export function peakRssMbOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024
}

/** All threads that it has, and those that they will start; the same of its children. */
export function pin(pid: number, processors: string): void {
  for (const member of familyOf(pid)) {
    execFileSync('taskset', ['-acp', processors, String(member)], { stdio: 'ignore' })
  }
}
