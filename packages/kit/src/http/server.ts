import type { IncomingMessage, RequestListener } from 'node:http'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyReply } from 'fastify'
import { Registry } from 'prom-client'
import type { DatabaseEnv, HttpEnv } from '../config/variables.js'
import type { Logger } from '../telemetry/logger.js'
import { logRequests } from './access-log.js'
import { clientAddresses } from './client-address.js'
import { requestId, setCommonHeaders } from './headers.js'
import type { InvalidRequests } from './invalid-requests.js'
import { acceptJsonOnly } from './json-body.js'
import {
  rejectUnsupportedHeaders,
  replyToInvalidUrl,
  replyToMalformedRequest,
} from './malformed-request.js'
import { measureRequests } from './metrics.js'
import { createHttpServer } from './pipelining.js'
import { ProblemFilter, toProblem } from './problem.filter.js'
import { BODY_LIMIT_BYTES } from './read-body.js'
import { skipRawBodies } from './raw-body.js'
import { observeRequests, type Request } from './request.js'
import { completeContext, traceRequests } from './request-tracing.js'
import { collectSecretPaths } from './secret-path.js'
import { Drain } from './shutdown.js'
import { InputPipe } from './validation.js'

/** Time limit for receiving a whole request, and for receiving its headers alone. */
const RECEIVE_TIMEOUT_MS = 15_000

const SERVER_OPTIONS = {
  connectionsCheckingInterval: 1_000,
  // Node ignores `requestTimeout` if `headersTimeout` is longer, as it is by default.
  headersTimeout: RECEIVE_TIMEOUT_MS,
  // Longer than the 60 s after which common proxies close idle connections: the proxy must close first.
  keepAliveTimeout: 72_000,
  requestTimeout: RECEIVE_TIMEOUT_MS,
  // Node would respond without a body. `rejectUnsupportedHeaders` sends a problem document.
  requireHostHeader: false,
} as const

/** @param log returns the logger, which is created together with the app */
export function createAdapter(
  env: HttpEnv,
  invalidRequests: InvalidRequests,
  log: () => Logger,
): FastifyAdapter {
  const clientAddress = clientAddresses(env.TRUSTED_PROXIES)
  return new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    clientErrorHandler: (error, socket) => replyToMalformedRequest(error, socket, log()),
    forceCloseConnections: 'idle',
    frameworkErrors: (error: Error, request: Request, reply: FastifyReply) => {
      setCommonHeaders(request, reply)
      // Such a request has no hooks, so neither the load shedder nor the decorated `ip`.
      const ip = clientAddress(request.raw) ?? ''
      invalidRequests.respond({ ip, request, reply }, toProblem(error), (problem) =>
        replyToInvalidUrl(request, reply, problem, log()),
      )
    },
    genReqId: (request: IncomingMessage) => requestId(request.headers),
    return503OnClosing: false,
    serverFactory: (listener: RequestListener) => createHttpServer(SERVER_OPTIONS, listener),
  })
}

/** Adds the hooks, body parser, pipe and filter of all routes. Call it before routes are registered. */
export function configureRoutes(
  app: NestFastifyApplication,
  env: HttpEnv & Pick<DatabaseEnv, 'DB_WAIT_MS'>,
  invalidRequests: InvalidRequests,
  log: Logger,
) {
  const fastify = app.getHttpAdapter().getInstance()
  const clientAddress = clientAddresses(env.TRUSTED_PROXIES)
  // Replaces Fastify's `ip`: its `trustProxy` takes whatever a proxy forwards, such as an address with a port.
  fastify.decorateRequest('ip', {
    getter(this: Request) {
      return clientAddress(this.raw) ?? ''
    },
  })
  fastify.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply)
    done()
  })
  traceRequests(fastify, env.DB_WAIT_MS)
  observeRequests(fastify, [
    completeContext,
    measureRequests(app.get(Registry)),
    logRequests(log, env.LOG_REQUESTS),
  ])
  rejectUnsupportedHeaders(fastify)
  acceptJsonOnly(fastify)
  skipRawBodies(fastify)
  collectSecretPaths(fastify)
  app.get(Drain).watch(fastify)
  app.useGlobalPipes(new InputPipe())
  app.useGlobalFilters(new ProblemFilter(fastify, invalidRequests))
}

/** @param exposedHeaders the service's own response headers that scripts may read, besides the common ones */
export function allowOrigins(
  app: NestFastifyApplication,
  { CORS_ORIGINS }: HttpEnv,
  exposedHeaders: readonly string[] = [],
) {
  if (CORS_ORIGINS.length === 0) return
  app.enableCors({
    origin: CORS_ORIGINS.includes('*') ? '*' : CORS_ORIGINS,
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['ETag', 'Location', 'Retry-After', 'X-Request-Id', ...exposedHeaders],
    maxAge: 600,
    // Otherwise the library answers 400 in plain text to an OPTIONS request that is no preflight.
    strictPreflight: false,
  })
}
