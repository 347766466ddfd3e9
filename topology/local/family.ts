// Which processes belong to a server, and how much memory do they hold?
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

interface ProcessRow {
  pid: number
  parent: number
  group: number
  /** A zombie has ended and waits for its parent to notice. */
  isZombie: boolean
}

/** The process, its group and all descendants: PostgreSQL's backends leave the group. */
export function familyOf(pid: number): Set<number> {
  const rows = processes().filter((row) => !row.isZombie)
  const family = new Set(
    rows.filter((row) => row.pid === pid || row.group === pid).map((r) => r.pid),
  )
  for (let before = -1; before !== family.size;) {
    before = family.size
    for (const row of rows) if (family.has(row.parent)) family.add(row.pid)
  }
  return family
}

/** An orphan that ended stays a zombie in a container whose first process does not collect it. */
export function isAlive(pid: number): boolean {
  return processes().some((row) => row.pid === pid && !row.isZombie)
}

/** Resident bytes of a family. Pages that its processes share are divided between them on Linux. */
export function rssBytesOf(pid: number): number {
  const family = familyOf(pid)
  if (process.platform === 'linux') return sum([...family].map(residentBytesLinux))
  const rows = ps('pid=,rss=').map(([each, rssKib]) => [Number(each), Number(rssKib)] as const)
  return sum(rows.filter(([each]) => family.has(each)).map(([, rssKib]) => rssKib * 1024))
}

/** Does one of the family listen on this TCP port? Another program may have taken it meanwhile. */
export function listensOn(pid: number, port: number): boolean {
  const family = [...familyOf(pid)]
  if (process.platform === 'linux') return listensOnLinux(family, port)
  const args = ['-nP', '-t', `-iTCP:${port}`, '-sTCP:LISTEN']
  const listeners = execFileSync('lsof', args, { encoding: 'utf8' }).split('\n').map(Number)
  return listeners.some((each) => family.includes(each))
}

function processes(): ProcessRow[] {
  if (process.platform !== 'linux') {
    return ps('pid=,ppid=,pgid=,stat=').map(([pid, parent, group, stat = '']) => ({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      isZombie: stat.startsWith('Z'),
    }))
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readOrNothing(`/proc/${name}/stat`)
      // The second field is the program's name in brackets, and may itself hold brackets and spaces.
      const [state, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (!state) return []
      const isZombie = state === 'Z' || state === 'X'
      return [{ pid: Number(name), parent: Number(parent), group: Number(group), isZombie }]
    })
}

function residentBytesLinux(pid: number): number {
  const rollup = readOrNothing(`/proc/${pid}/smaps_rollup`)
  const status = rollup || readOrNothing(`/proc/${pid}/status`)
  const kib = /^Pss:\s+(\d+)/m.exec(status)?.[1] ?? /^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0
  return Number(kib) * 1024
}

function listensOnLinux(family: number[], port: number): boolean {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const sockets = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readOrNothing(table).split('\n')) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (local?.endsWith(`:${hexPort}`) && state === '0A') sockets.add(`socket:[${inode}]`)
    }
  }
  return family.some((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        return sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`))
      })
    } catch {
      return false // a descriptor or a process that has just closed
    }
  })
}

function ps(columns: string): string[][] {
  const table = execFileSync('ps', ['-A', '-o', columns], { encoding: 'utf8' })
  return table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
