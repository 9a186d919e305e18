import { siteOf } from './network.js'
import type { Request } from './request.js'

/** Memory of all bodies that are being received: a pod of the charts has 256 MiB, of which an idle service takes half. */
export const MAX_BYTES = 32_000_000
/** Of one network: an IPv4 address or an IPv6 /48. */
export const MAX_NETWORK_BYTES = 8_000_000
/** A smaller body takes less memory than its connection, and is not counted. */
export const UNCOUNTED_BYTES = 8_000

/**
 * Limits the memory of bodies that are being received: a client may take 15 s to send a body of 100 kB, over any
 * number of connections.
 */
export class BodyMemory {
  private total = 0
  private readonly byNetwork = new Map<string, number>()

  /** Of a request without a body yet. */
  reservation(request: Pick<Request, 'ip'>): BodyReservation {
    return new BodyReservation(this, request)
  }

  /** @returns false, and adds nothing, if that exceeds a limit */
  add(network: string, bytes: number): boolean {
    const ofNetwork = (this.byNetwork.get(network) ?? 0) + bytes
    const isTooMuch = this.total + bytes > MAX_BYTES || ofNetwork > MAX_NETWORK_BYTES
    if (bytes > 0 && isTooMuch) return false
    this.total += bytes
    if (ofNetwork > 0) this.byNetwork.set(network, ofNetwork)
    else this.byNetwork.delete(network)
    return true
  }
}

/** The memory of one body. */
export class BodyReservation {
  private bytes = 0
  private network = ''

  constructor(
    private readonly memory: BodyMemory,
    private readonly request: Pick<Request, 'ip'>,
  ) {}

  /** @returns false if the body must not take this many bytes */
  resize(bytes: number): boolean {
    if (bytes <= UNCOUNTED_BYTES) return true
    this.network ||= siteOf(this.request.ip)
    if (!this.memory.add(this.network, bytes - this.bytes)) return false
    this.bytes = bytes
    return true
  }

  release() {
    if (this.bytes > 0) this.memory.add(this.network, -this.bytes)
    this.bytes = 0
  }
}
