// What does a service do when its wall clock jumps? Loaded before it, with NODE_OPTIONS=--import.
// SIGUSR2 sets the clock an hour ahead, the next one an hour behind, the next one right again.
// Timers and performance.now() go on as they do when an administrator or NTP sets a real clock.

const offsetsMs = [0, 3_600_000, -3_600_000]
let jumps = 0

const RealDate = Date
const realNow = RealDate.now.bind(RealDate)
const now = () => realNow() + offsetsMs[jumps % offsetsMs.length]
RealDate.now = now
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: (target) => new target(now()).toString(),
})
process.on('SIGUSR2', () => jumps++)
