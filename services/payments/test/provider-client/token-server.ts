import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

/** A provider that issues tokens and keys, and accepts those that are not rejected. */
export interface TokenServer {
  readonly url: string
  /** How often each path was requested. */
  count(path: string): number
  /** The credentials of each request for money or its status, in order. */
  readonly used: readonly string[]
  /** Tokens that requests may not have anymore. */
  readonly rejected: Set<string>
  /** The credentials that get tokens; all, if empty. */
  readonly accepted: Set<string>
  /** What the token endpoint answers instead of a token. */
  tokenStatus: number
  tokenHeaders: Readonly<Record<string, string>>
  lifetimeSeconds: number
  delayMs: number
  /** The status of requests for money with a valid token, and the time until their answer. */
  sendStatus: number
  sendDelayMs: number
}

/** It is closed when the test ends. */
export async function startTokenServer(): Promise<TokenServer> {
  const counts = new Map<string, number>()
  const used: string[] = []
  const server = createServer((request, response) => {
    const { url: path = '', headers } = request
    const nth = (counts.get(path) ?? 0) + 1
    counts.set(path, nth)
    request.resume()
    void answer(path, nth, headers).then(({ status, body, headers: given }) =>
      response.writeHead(status, given).end(JSON.stringify(body)),
    )
  })
  const state: TokenServer = {
    url: '',
    count: (path) => counts.get(path) ?? 0,
    used,
    rejected: new Set(),
    accepted: new Set(),
    tokenStatus: 200,
    tokenHeaders: {},
    lifetimeSeconds: 100,
    delayMs: 0,
    sendStatus: 202,
    sendDelayMs: 0,
  }

  async function answer(path: string, nth: number, headers: IncomingMessage['headers']) {
    const [, secret = ''] = (headers.authorization ?? '').split(' ')
    const isToken = path === '/token'
    if (isToken || path === '/key') {
      // Longer for each further request, so that concurrent ones would be seen.
      if (state.delayMs > 0) await sleep(state.delayMs)
      const isRefused = isToken
        ? state.accepted.size > 0 && !state.accepted.has(secret)
        : state.rejected.has(secret)
      if (isRefused) return { status: 401, body: { error: 'invalid_client' } }
      const value = `${isToken ? `token-of-${secret}` : 'key'}-${nth}`
      if (isToken && state.tokenStatus !== 200) {
        return { status: state.tokenStatus, body: { error: 'busy' }, headers: state.tokenHeaders }
      }
      return { status: 200, body: { access_token: value, expires_in: state.lifetimeSeconds } }
    }
    if (state.sendDelayMs > 0) await sleep(state.sendDelayMs)
    used.push([secret, headers['x-key']].filter(Boolean).join(' '))
    if (state.rejected.has(secret)) return { status: 401, body: {} }
    return { status: path === '/charges' ? state.sendStatus : 200, body: {} }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return Object.assign(state, { url: `http://127.0.0.1:${port}` })
}
