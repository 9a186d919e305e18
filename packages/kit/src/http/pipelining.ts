import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'

/**
 * Node starts every request that a client has pipelined at once, and buffers the responses until the client reads
 * them: 64 kB have 1,500 requests. Browsers and proxies send the next request after the response.
 */
const MAX_IN_PROGRESS = 16

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** The latest exchanges of each connection, oldest first; some of them may have ended. */
const exchangesOf = new WeakMap<Socket, readonly Exchange[]>()

/** A response has ended when the socket has taken all of it. */
function inProgress(socket: Socket): readonly Exchange[] {
  const exchanges = exchangesOf.get(socket) ?? []
  return exchanges.filter(({ response }) => !response.writableFinished && !response.destroyed)
}

/**
 * Creates an HTTP server that closes a connection with too many requests in progress. The client may repeat
 * those without a response (RFC 9112, section 9.3.2).
 */
export function createHttpServer(options: ServerOptions, listener: RequestListener): Server {
  return createServer(options, (request, response) => {
    const { socket } = request
    const earlier = inProgress(socket)
    if (earlier.length >= MAX_IN_PROGRESS) return void socket.destroy()
    exchangesOf.set(socket, [...earlier, { request, response }])
    listener(request, response)
  })
}

/** Calls `respond` once the responses to all complete requests of a connection are sent. */
export function afterResponses(socket: Socket, respond: () => void) {
  const last = inProgress(socket).findLast(({ request }) => request.complete)
  if (last) last.response.once('close', respond)
  else respond()
}
