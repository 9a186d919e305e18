/** Limits of deliveries. A whole try takes at most 20 s: see egress/. */

/** Tries of a replica at the same time. */
export const MAX_IN_FLIGHT = 100
/** Of these, the tries at endpoints that answer slowly, or have not answered yet. */
export const MAX_SLOW = MAX_IN_FLIGHT / 4
/** Tries of a replica at one endpoint at the same time. */
export const MAX_PER_ENDPOINT = 4
/** An endpoint is slow if its last answer took longer. */
export const SLOW_MS = 2_000
/** The time of a try, and 30 s after which another replica may repeat it. */
export const LEASE_SECONDS = 50
/** A delivery with more tries is not resent, so that its log stays short. */
export const MAX_TRIES_BEFORE_RESEND = 100
/** After this many failed tries in a row, the endpoint gets a single try after each pause. */
export const CIRCUIT_FAILURES = 5
export const FIRST_PAUSE_SECONDS = 30
export const MAX_PAUSE_SECONDS = 600
