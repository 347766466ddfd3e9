// How is an event id remembered in eight bytes?

/**
 * 52-bit hash of an event id: two FNV-1a 32-bit hashes with different offset bases. Among the 32
 * newest ids of a player, two different ids collide with a chance of about 7e-15.
 */
export function hashEventId(eventId: string): number {
  let high = 0x811c9dc5
  let low = 0x9747b28c
  for (let i = 0; i < eventId.length; i++) {
    const unit = eventId.charCodeAt(i)
    high = Math.imul(high ^ unit, 0x01000193)
    low = Math.imul(low ^ unit, 0x01000193) ^ (low >>> 15)
  }
  return (high >>> 0) * 0x100000 + (low >>> 12)
}
