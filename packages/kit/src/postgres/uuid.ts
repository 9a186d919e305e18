import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

/** Random bytes are cheap by the page and dear one by one: a call to the system each. */
const POOL = new Uint8Array(4_096)
const EACH = 16
let used = POOL.length

/** A new UUIDv7 (RFC 9562, section 5.7) of a time in ms since the epoch; it sorts by that time. */
export function newUuid(msecs = Date.now()): string {
  if (used === POOL.length) {
    randomFillSync(POOL)
    used = 0
  }
  const random = POOL.subarray(used, (used += EACH))
  return v7({ msecs, random })
}
