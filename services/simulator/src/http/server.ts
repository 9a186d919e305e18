import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { RequestCounts } from './request-counts.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The name under which requests are counted; without one, they are not. */
    endpoint?: string
  }
}

const BODY_LIMIT_BYTES = 64 * 1024
const RECEIVE_TIMEOUT_MS = 15_000
/** Longer than the 60 s after which common proxies close idle connections. */
const KEEP_ALIVE_MS = 72_000

/** A server whose handlers get the bytes of a body, whatever its content type. */
export function createServer(counts: RequestCounts, log: FastifyBaseLogger): FastifyInstance {
  const server = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: RECEIVE_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    // Clients differ in the slash at the end of a path.
    routerOptions: { ignoreTrailingSlash: true },
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body)
  })
  countRequests(server, counts)
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ statusCode: 404, message: 'Resource not found' }),
  )
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) log.error({ err: error }, 'request failed')
    const message = status >= 500 ? 'Internal server error' : error.message
    return reply.code(status).send({ statusCode: status, message })
  })
  server.get('/health/live', () => ({ status: 'ok' }))
  server.get('/health/ready', () => ({ status: 'ok' }))
  return server
}

function countRequests(server: FastifyInstance, counts: RequestCounts) {
  server.addHook('onRequest', (request, { raw }, done) => {
    const { endpoint } = request.routeOptions.config
    if (endpoint) {
      counts.received(endpoint, Date.now())
      // Unlike the hook `onResponse`, the event is emitted for a connection that is closed without a response.
      raw.once('close', () => counts.answered(endpoint, raw.headersSent ? raw.statusCode : 0))
    }
    done()
  })
}
