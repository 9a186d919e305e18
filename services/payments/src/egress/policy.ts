import type { Network } from '@malipo/kit/config/ip-address'

/** A host that deliveries may reach whatever its addresses are; only in the sandbox. */
export interface AllowedHost {
  /** As `URL.hostname` states it, without brackets. */
  readonly host: string
  /** Every port if undefined. */
  readonly port: number | undefined
}

/** What deliveries of notifications may reach. */
export interface EgressPolicy {
  readonly mode: 'live' | 'sandbox'
  /** Refused in addition to the networks that are not public: those of pods, services and nodes. */
  readonly denied: readonly Network[]
  /** The prefix of the network's NAT64 (RFC 6052), in addition to 64:ff9b::/96. */
  readonly nat64: Network | undefined
  readonly allowHosts: readonly AllowedHost[]
}

export interface EgressSettings {
  readonly policy: EgressPolicy
  /** A proxy that resolves names and refuses internal addresses. */
  readonly proxyUrl: string | undefined
}

/** Whether WEBHOOK_ALLOW_HOSTS lists the host. @param host as `URL.hostname` states it, without brackets */
export function isAllowedHost({ allowHosts }: EgressPolicy, host: string, port: number): boolean {
  return allowHosts.some(
    (allowed) => allowed.host === host && (allowed.port === undefined || allowed.port === port),
  )
}
