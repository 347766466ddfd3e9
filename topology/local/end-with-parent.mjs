// How does a script learn that the with-setup.mjs which started it was killed?
// It has a session of its own, so nothing else would tell it.
import { isMainThread } from 'node:worker_threads'

const pollMs = 500
const parent = Number(process.env.CHURNSTREAM_PARENT)

// Children of the script inherit the variable, not the parent.
if (isMainThread && process.ppid === parent) {
  delete process.env.CHURNSTREAM_PARENT
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
  }, pollMs).unref()
}
