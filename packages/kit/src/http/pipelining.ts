import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Node starts every request that a client has pipelined at once, and buffers the responses until the client reads
 * them: 64 kB have 1,500 requests. Browsers and proxies send the next request after the response.
 */
const MAX_IN_PROGRESS = 16

/**
 * Creates an HTTP server that closes a connection with too many requests in progress. The client may repeat
 * those without a response (RFC 9112, section 9.3.2).
 */
export function createHttpServer(options: ServerOptions, listener: RequestListener): Server {
  const inProgress = new WeakMap<Socket, number>()
  return createServer(options, (request, response) => {
    const { socket } = request
    const count = inProgress.get(socket) ?? 0
    if (count >= MAX_IN_PROGRESS) return void socket.destroy()
    inProgress.set(socket, count + 1)
    response.once('close', () => inProgress.set(socket, (inProgress.get(socket) ?? 1) - 1))
    listener(request, response)
  })
}
