import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { TlsOptions } from './tls-files.js'

type Connector = buildConnector.connector

/** For each of: TCP with TLS, and through a proxy TCP with CONNECT, then TLS. */
const CONNECT_TIMEOUT_MS = 5_000

/**
 * How long an address of several is tried before the next one. A round trip to another continent may take longer than
 * Node's default of 250 ms.
 */
const NEXT_ADDRESS_MS = 1_000

const MAX_HEAD_BYTES = 16_384
/** Shorter than the idle time of usual servers and load balancers, from 5 s on: few requests use a closed one. */
const IDLE_MS = 4_000

/** What each connector sets: certificates are always verified. */
export const CONNECT_OPTIONS = {
  // NODE_TLS_REJECT_UNAUTHORIZED would turn off the verification.
  rejectUnauthorized: true,
  autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
  timeout: CONNECT_TIMEOUT_MS,
} as const

/** What each connection sets: it serves one request at a time, which has one limit for all of its parts. */
export const CONNECTION_OPTIONS = {
  pipelining: 1,
  keepAliveTimeout: IDLE_MS,
  keepAliveMaxTimeout: IDLE_MS,
  headersTimeout: 0,
  bodyTimeout: 0,
  maxHeaderSize: MAX_HEAD_BYTES,
} as const

/** Connects to a server, through a proxy if there is one. */
export function connectorOf(proxyUrl: string | undefined, tls: TlsOptions): Connector {
  const direct = buildConnector({ ...tls, ...CONNECT_OPTIONS })
  return proxyUrl === undefined ? direct : tunnelThrough(new URL(proxyUrl), tls, direct)
}

/**
 * Connects through a proxy with CONNECT (RFC 9110, section 9.3.6), also for `http`. The `ProxyAgent` of undici is not
 * used: if a proxy closes the connection instead of answering, it reconnects without end and without a pause.
 */
function tunnelThrough(proxy: URL, { ca }: TlsOptions, toServer: Connector): Connector {
  const request = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  return (options, callback) => {
    const { host = options.hostname, port, protocol } = options
    const authority = port === '' ? `${host}:${protocol === 'https:' ? 443 : 80}` : host
    const connect = request(proxy, {
      method: 'CONNECT',
      path: authority,
      headers: { host: authority },
      agent: false,
      ca,
      rejectUnauthorized: true,
    })
    const late = new Error(`the proxy did not answer within ${CONNECT_TIMEOUT_MS} ms`)
    const timer = setTimeout(() => connect.destroy(late), CONNECT_TIMEOUT_MS)
    connect.once('connect', ({ statusCode = 0 }, socket: Socket, head: Buffer) => {
      clearTimeout(timer)
      // An error between its two users, when it has no other listener, would end the process.
      socket.on('error', () => undefined)
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy()
        callback(new Error(`the proxy answered ${statusCode} to CONNECT`), null)
        return
      }
      socket.unshift(head)
      if (protocol === 'https:') toServer({ ...options, httpSocket: socket }, callback)
      else callback(null, socket)
    })
    connect.once('error', (error) => {
      clearTimeout(timer)
      callback(error, null)
    })
    connect.end()
  }
}
