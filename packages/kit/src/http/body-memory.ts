/** Memory of all bodies that are being received: a pod of the charts has 256 MiB, of which an idle service takes half. */
export const MAX_BYTES = 32_000_000
/** Of one share, such as a network. */
export const MAX_SHARE_BYTES = 8_000_000
/** A smaller body takes less memory than its connection, and is not counted. */
export const UNCOUNTED_BYTES = 8_000

/**
 * Limits the memory of bodies that are being received: a client may take 15 s to send a body of 100 kB, over any
 * number of connections.
 */
export class BodyMemory {
  private total = 0
  private readonly byShare = new Map<string, number>()

  constructor(private readonly maxBytes = MAX_BYTES) {}

  /**
   * Of a request without a body yet.
   *
   * @param shareOf returns what the request shares a limit with; called only if the body is counted
   */
  reservation(shareOf: () => string): BodyReservation {
    return new BodyReservation(this, shareOf)
  }

  /** @returns false, and adds nothing, if that exceeds a limit */
  add(share: string, bytes: number): boolean {
    const ofShare = (this.byShare.get(share) ?? 0) + bytes
    const isTooMuch = this.total + bytes > this.maxBytes || ofShare > MAX_SHARE_BYTES
    if (bytes > 0 && isTooMuch) return false
    this.total += bytes
    if (ofShare > 0) this.byShare.set(share, ofShare)
    else this.byShare.delete(share)
    return true
  }
}

/** The memory of one body. */
export class BodyReservation {
  private bytes = 0
  private share: string | undefined

  constructor(
    private readonly memory: BodyMemory,
    private readonly shareOf: () => string,
  ) {}

  /** @returns false if the body must not take this many bytes */
  resize(bytes: number): boolean {
    if (bytes <= UNCOUNTED_BYTES) return true
    this.share ??= this.shareOf()
    if (!this.memory.add(this.share, bytes - this.bytes)) return false
    this.bytes = bytes
    return true
  }

  release() {
    if (this.share !== undefined) this.memory.add(this.share, -this.bytes)
    this.bytes = 0
  }
}
