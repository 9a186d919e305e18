import { LRUCache } from 'lru-cache'

/**
 * What this replica knows of sessions by itself: that one is over, and when it last let one in. The
 * first makes it refuse at once, whatever it still waits for; both together are how late it was.
 */
export interface Session {
  /** When a token of it was last accepted here, ms since the epoch by this process's clock. */
  acceptedAt: number
  /** When it was ended, by auth's clock; undefined while it lives. */
  overAt: number | undefined
}

/** Sessions in memory: those that used a replica last, about 200 bytes each. */
const MOST = 20_000

export class Sessions {
  private readonly known = new LRUCache<string, Session>({ max: MOST })
  private longestMs = 0

  /** The session of a token that auth or Redis vouched for; made when it is not known. */
  of(sid: string): Session {
    const known = this.known.get(sid)
    if (known) return known
    const session: Session = { acceptedAt: 0, overAt: undefined }
    this.known.set(sid, session)
    return session
  }

  isOver(sid: string): boolean {
    return this.known.get(sid)?.overAt !== undefined
  }

  /** Notes that auth ended a session; `at` is 0 when it isn't known when. */
  end(sid: string, at: number): void {
    const session = this.of(sid)
    if (session.overAt !== undefined) return
    session.overAt = at
    if (at > 0 && session.acceptedAt > 0) {
      this.longestMs = Math.max(this.longestMs, session.acceptedAt - at)
    }
  }

  /** The longest time by which a token was accepted here after its session's end. */
  get longestStalenessSeconds(): number {
    return this.longestMs / 1000
  }
}
