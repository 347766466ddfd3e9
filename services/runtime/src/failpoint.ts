// Where can a test make this very process die or freeze?

/** Named by what has just happened. */
export type Failpoint =
  | 'after-poll'
  | 'after-process'
  | 'after-produce'
  | 'after-send-offsets'
  | 'before-commit'
  | 'after-commit'
  | 'mid-restore'
  | 'mid-model-swap'
  | 'after-database-commit'
  | 'before-reply'
  | 'mid-multipart'
  | 'after-file'

const actions: Readonly<Record<string, NodeJS.Signals>> = { kill: 'SIGKILL', stop: 'SIGSTOP' }

/**
 * Signals this process at the n-th pass of the failpoint that FAILPOINT names, `after-poll:kill@3`.
 * Does nothing unless NODE_ENV is test. @throws Error when FAILPOINT can't be read
 */
export const failpoint: (name: Failpoint) => void = arm()

function arm(): (name: Failpoint) => void {
  const { NODE_ENV: mode, FAILPOINT: text } = process.env
  if (mode !== 'test' || text === undefined) return () => undefined
  const [, name, action = '', pass] = /^([a-z-]+):(\w+)@(\d+)$/.exec(text) ?? []
  const signal = actions[action]
  if (name === undefined || signal === undefined) {
    throw new Error(`FAILPOINT is ${text}; it should be like after-poll:kill@3`)
  }
  let left = Number(pass)
  return (passed) => {
    if (passed !== name || --left !== 0) return
    process.kill(process.pid, signal)
  }
}
