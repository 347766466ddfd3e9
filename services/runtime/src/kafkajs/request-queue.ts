// When does a connection have to look at its waiting requests again?

/** The part of kafkajs' network/requestQueue that decides about the timer. */
export interface RequestQueue {
  pending: unknown[]
  inflight: Map<number, unknown>
  maxInFlightRequests: number | null
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/**
 * Stops the 1 ms timer that kafkajs runs per connection for ever: its throttledUntil starts at -1,
 * so the time to wait comes out negative, and Node warns and takes 1 ms. See kafkajs #1751.
 */
export function patchRequestQueue(requestQueue: { prototype: RequestQueue }): void {
  requestQueue.prototype.scheduleCheckPendingRequests = scheduleOnlyWhenThrottled
}

function scheduleOnlyWhenThrottled(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return
  // With every slot taken, the next response or request timeout checks the queue.
  if (this.maxInFlightRequests != null && this.inflight.size >= this.maxInFlightRequests) return

  // At least 1 ms: the throttle can end between the test that queued a request and this line, and
  // with nothing in flight only this timer would ever send it.
  const waitMs = Math.max(1, this.throttledUntil - Date.now())
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null
    this.checkPendingRequests()
  }, waitMs)
}
