import { LRUCache } from 'lru-cache'

/** The state of a session as this replica sees it in its own requests and in revocation messages. */
export interface SessionState {
  /** When one of its tokens was last accepted, in ms since the epoch by this process's clock; 0 if never. */
  acceptedAt: number
  /** When auth revoked the session, by auth's clock; undefined if it did not, 0 if the time is unknown. */
  revokedAt: number | undefined
  /** The proof in the entry of a token that auth then rejected: entries with this proof no longer count. */
  refusedProof: string | undefined
}

/** Maximum number of tracked sessions, at about 200 bytes each. The least recently used are dropped. */
const MAX_SESSIONS = 20_000

/** Revocations and refusals that this replica has seen, so that it can reject a token without Redis. */
export class SessionStates {
  private readonly states = new LRUCache<string, SessionState>({ max: MAX_SESSIONS })
  private maxStalenessMs = 0

  /** Returns the state of a session, and creates it if there is none. */
  of(sid: string): SessionState {
    const existing = this.states.get(sid)
    if (existing) return existing
    const state: SessionState = { acceptedAt: 0, revokedAt: undefined, refusedProof: undefined }
    this.states.set(sid, state)
    return state
  }

  /** Returns the state of a session that a token claims; undefined if this replica knows none. */
  find(sid: string): SessionState | undefined {
    return this.states.get(sid)
  }

  revoke(sid: string, revokedAt: number): void {
    const state = this.of(sid)
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
