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

/** The requests in progress on a connection, oldest first. */
type Exchanges = Map<ServerResponse, IncomingMessage>

const inProgress = new WeakMap<Socket, Exchanges>()

/**
 * Creates an HTTP server that closes a connection with too many requests in progress. The client may repeat
 * those without a response (RFC 9112, section 9.3.2).
 */
export function createHttpServer(options: ServerOptions, listener: RequestListener): Server {
  return createServer(options, (request, response) => {
    const { socket } = request
    let exchanges = inProgress.get(socket)
    if (!exchanges) inProgress.set(socket, (exchanges = new Map()))
    if (exchanges.size >= MAX_IN_PROGRESS) return void socket.destroy()
    exchanges.set(response, request)
    response.once('close', () => exchanges.delete(response))
    listener(request, response)
  })
}

/** Calls `respond` once the responses to all complete requests of a connection are sent. */
export function afterResponses(socket: Socket, respond: () => void) {
  const exchanges = [...(inProgress.get(socket) ?? [])]
  const [last] = exchanges.findLast(([, request]) => request.complete) ?? []
  if (last) last.once('close', respond)
  else respond()
}
