import { LRUCache } from 'lru-cache'

/** The state of a session in this replica, from its own requests and from revocation messages. */
export interface SessionState {
  /** The last acceptance of one of its tokens, ms since the epoch by this process's clock; 0: none. */
  acceptedAt: number
  /** By auth's clock; undefined while the session is not revoked, 0 if the time is unknown. */
  revokedAt: number | undefined
}

/** The number of most recently used sessions that are tracked, at about 200 bytes each. */
const MAX_SESSIONS = 20_000

/** Revocations that this replica has seen, so that a check in progress can reject a token without Redis. */
export class RevokedSessions {
  private readonly states = new LRUCache<string, SessionState>({ max: MAX_SESSIONS })
  private maxStalenessMs = 0

  /** The state of a session, which is created if there is none. */
  stateOf(sid: string): SessionState {
    const existing = this.states.get(sid)
    if (existing) return existing
    const state: SessionState = { acceptedAt: 0, revokedAt: undefined }
    this.states.set(sid, state)
    return state
  }

  isRevoked(sid: string): boolean {
    return this.states.get(sid)?.revokedAt !== undefined
  }

  revoke(sid: string, revokedAt: number): void {
    const state = this.stateOf(sid)
    if (state.revokedAt !== undefined) return
    state.revokedAt = revokedAt
    if (revokedAt > 0 && state.acceptedAt > 0) {
      this.maxStalenessMs = Math.max(this.maxStalenessMs, state.acceptedAt - revokedAt)
    }
  }

  /** The longest delay between a revocation and a later acceptance of the session's token. */
  get maxStalenessSeconds(): number {
    return this.maxStalenessMs / 1000
  }
}
