import { isIP, type LookupFunction, type Socket } from 'node:net'
import { withoutBrackets } from '@malipo/kit/config/ip-address'
import { buildConnector } from 'undici'
import { CONNECT_OPTIONS, connectorOf } from '../providers/client/connectors.js'
import { isPublicAddress } from './address.js'
import { portOf } from './endpoint-url.js'
import { type EgressPolicy, type EgressSettings, isAllowedHost } from './policy.js'
import type { Resolve } from './resolver.js'
import type { TryError } from './try-result.js'

type Connector = buildConnector.connector

/** The host has an address that is not public. It is not stated. */
class ForbiddenAddress extends Error {}

class UnresolvedName extends Error {}

export interface ConnectorOptions extends EgressSettings {
  readonly resolve: Resolve
  /** PEM, instead of the public CAs. */
  readonly ca?: string
}

/**
 * Connects to public addresses only. Node calls `lookup` only for names, so a connector that has a guarded `lookup` and
 * nothing else reaches http://127.0.0.1 and http://[::1]: literals are judged apart. The address of the connected socket
 * is judged once more, whatever the way to it was.
 */
export function guardedConnector({ policy, resolve, proxyUrl, ca }: ConnectorOptions): Connector {
  const tls = ca === undefined ? {} : { ca }
  const lookup = guardedLookup(policy, resolve)
  const toPublic = buildConnector({ ...tls, ...CONNECT_OPTIONS, lookup })
  // The proxy judges addresses itself.
  const unguarded = connectorOf(proxyUrl, tls)
  return (target, callback) => {
    const host = withoutBrackets(target.hostname)
    if (isAllowedHost(policy, host, portOf(target))) {
      unguarded(target, callback)
    } else if (isIP(host) !== 0 && !isPublicAddress(host, policy)) {
      callback(new ForbiddenAddress(), null)
    } else if (proxyUrl !== undefined) {
      unguarded(target, callback)
    } else {
      toPublic(target, (...[error, socket]) => {
        if (error) callback(error, null)
        else judgeSocket(socket, policy, callback)
      })
    }
  }
}

function judgeSocket(socket: Socket, policy: EgressPolicy, callback: buildConnector.Callback) {
  if (isPublicAddress(socket.remoteAddress ?? '', policy)) {
    callback(null, socket)
    return
  }
  socket.destroy()
  callback(new ForbiddenAddress(), null)
}

/** A host with public and internal addresses is refused: which one is used would be up to the network. */
function guardedLookup(policy: EgressPolicy, resolve: Resolve): LookupFunction {
  return (host, { all }, done) => {
    resolve(host).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined || !addresses.every((each) => isPublicAddress(each, policy))) {
          done(new ForbiddenAddress(), '')
        } else if (all) {
          done(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          )
        } else {
          done(null, first, isIP(first))
        }
      },
      (error: unknown) => done(new UnresolvedName('', { cause: error }), ''),
    )
  }
}

/** Errors of OpenSSL, of Node's check of the host name, and of the verification of certificates. */
const TLS_ERROR =
  /^(?:ERR_(?:SSL|TLS)_|EPROTO$|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_|PATH_LENGTH_|ERROR_IN_)/

/** Why there is no connection. */
export function connectErrorOf(error: Error & { readonly code?: unknown }): TryError {
  if (error instanceof ForbiddenAddress) return 'forbidden_address'
  if (error instanceof UnresolvedName) return 'dns'
  return typeof error.code === 'string' && TLS_ERROR.test(error.code) ? 'tls' : 'connect'
}
