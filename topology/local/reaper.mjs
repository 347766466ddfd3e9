// Who ends the servers when their owner was killed and could not do it itself?
// The owner holds the other end of stdin; its death, however it comes, closes that pipe.
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'

const graceMs = 8_000
const pollMs = 100
const groups = new Map()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  const [word, pid, signal] = line.split(' ')
  if (word === 'own') groups.set(Number(pid), signal)
  if (word === 'disown') groups.delete(Number(pid))
}

// Children were started in the order of their dependencies: the last one ends first.
for (const [pid, signal] of [...groups].reverse()) {
  kill(pid, signal)
  kill(pid, 'SIGCONT') // a paused process sees no signal before it runs again
}
const deadlineAt = Date.now() + graceMs
while (Date.now() < deadlineAt && [...groups.keys()].some((pid) => kill(pid, 0))) await wait(pollMs)
for (const pid of groups.keys()) kill(pid, 'SIGKILL')

function kill(pid, signal) {
  try {
    return process.kill(-pid, signal)
  } catch {
    return false // that group has ended
  }
}
