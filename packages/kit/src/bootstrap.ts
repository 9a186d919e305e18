import 'reflect-metadata'
import type { IncomingMessage } from 'node:http'
import type { DynamicModule } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyReply } from 'fastify'
import { Registry } from 'prom-client'
import { SECURITY_HEADERS, shedOverload } from './http/load-shedder.js'
import { logRequests } from './http/access-log.js'
import { replyToMalformedRequest, replyToInvalidUrl } from './http/malformed-request.js'
import { Drain, maxDrainMs } from './http/drain.js'
import { ConfigurationError, type DatabaseEnv, type HttpEnv } from './config/env.js'
import { acceptJsonOnly, BODY_LIMIT_BYTES } from './http/json-body.js'
import { LOG } from './kit.module.js'
import { NestLogger, type Logger } from './telemetry/logger.js'
import { registerBuildInfo } from './telemetry/metrics.js'
import { startTracing } from './telemetry/start-tracing.js'
import { type ServiceInfo, serveOpenApi } from './http/openapi.js'
import { ProblemFilter } from './http/problem.filter.js'
import type { Request } from './http/request.js'
import { measureRequests } from './http/request-metrics.js'
import { observeRequests } from './http/request-observer.js'
import { completeContext, traceRequests } from './http/request-tracing.js'
import { REQUEST_ID, requestId } from './http/request-id.js'
import { RouteTable } from './http/route-table.js'
import { InputPipe } from './http/validation.js'

/**
 * From an environment to a serving process, the same for every service. The process listens before its
 * database is there: liveness answers at once, readiness when there is something to be ready with.
 */

/** A service: what it is, and its module for an environment. */
export interface Service<E> {
  readonly about: ServiceInfo
  with(env: E): DynamicModule
}

type BootEnv = HttpEnv & Pick<DatabaseEnv, 'DB_WAIT_MS'>

/** A request has this long to arrive whole, and an idle connection to bring the next one. */
const ARRIVAL_TIMEOUT_MS = 15_000
/** Longer than the 60 s of common proxies, which must be the first to close. */
const KEEP_ALIVE_MS = 72_000
const SIGNALS = ['SIGTERM', 'SIGINT']
/** What ending may take over the drain and the longest wait of a request. */
const SHUTDOWN_SLACK_MS = 5_000

/** Starts a service and ends the process by itself on SIGTERM or SIGINT. */
export async function bootstrap<E extends BootEnv>(service: Service<E>, readEnv: () => E) {
  const env = configured(readEnv)
  const app = await createApp(service, env)
  const log = app.get<Logger>(LOG)
  app.enableShutdownHooks(SIGNALS, { useProcessExit: true })
  leaveWhenAsked(app.get(Drain))
  endInTime(maxDrainMs(env.SHUTDOWN_DRAIN_MS) + env.DB_WAIT_MS + SHUTDOWN_SLACK_MS, log)
  try {
    await app.listen(env.PORT, '0.0.0.0')
  } catch (error) {
    log.fatal({ err: error }, `port ${env.PORT} can’t be listened on`)
    process.exit(1)
  }
  log.info({ port: env.PORT, mode: env.MODE }, 'listening')
}

/** The app, wired and not yet listening. */
export async function createApp<E extends BootEnv>(service: Service<E>, env: E) {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    clientErrorHandler: (error, socket) => replyToMalformedRequest(error, socket, log),
    forceCloseConnections: 'idle',
    frameworkErrors: (error: Error, request: Request, reply: FastifyReply) => {
      headEveryAnswer(request, reply)
      replyToInvalidUrl(error, request, reply, log)
    },
    genReqId: (request: IncomingMessage) => requestId(request.headers),
    // Node forgets the limit of a whole request when that of its headers is longer, as by default.
    http: { connectionsCheckingInterval: 1_000, headersTimeout: ARRIVAL_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: ARRIVAL_TIMEOUT_MS,
    return503OnClosing: false,
    trustProxy: env.TRUSTED_PROXIES.length > 0 ? env.TRUSTED_PROXIES : false,
  })
  const app: NestFastifyApplication = await NestFactory.create(service.with(env), adapter, {
    abortOnError: false,
    bodyParser: false,
    bufferLogs: true,
  })
  const log: Logger = app.get(LOG)
  app.useLogger(new NestLogger(log))
  await startTracing(service.about, env, log.child({ part: 'tracing' }))
  wire(app, log, env)
  shedOverload(app.getHttpServer(), app.get(Registry))
  registerBuildInfo(app.get(Registry), service.about)
  if (env.CORS_ORIGINS.length > 0) allowOrigins(app, env.CORS_ORIGINS)
  serveOpenApi(app, service.about)
  return app
}

/** Everything that must stand before the routes are registered. */
function wire(app: NestFastifyApplication, log: Logger, env: HttpEnv) {
  const fastify = app.getHttpAdapter().getInstance()
  const routes = app.get(RouteTable)
  fastify.addHook('onRoute', ({ url, method }) => routes.add(url, method))
  fastify.addHook('onRequest', (request, reply, done) => {
    headEveryAnswer(request, reply)
    done()
  })
  traceRequests(fastify)
  observeRequests(fastify, [
    completeContext,
    measureRequests(app.get(Registry)),
    logRequests(log, env.LOG_REQUESTS),
  ])
  acceptJsonOnly(fastify)
  app.get(Drain).watch(fastify)
  app.useGlobalPipes(new InputPipe())
  app.useGlobalFilters(new ProblemFilter(routes))
}

function headEveryAnswer(request: Request, reply: FastifyReply) {
  reply.header(REQUEST_ID, request.id)
  reply.headers(SECURITY_HEADERS)
  // Every answer under /api may hold a token or personal data.
  if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store')
}

/** What a program in a browser may read beside the body. */
const EXPOSED_HEADERS = [
  'ETag',
  'Location',
  'Idempotent-Replayed',
  'Password-Strength',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
]

function allowOrigins(app: NestFastifyApplication, origins: string[]) {
  app.enableCors({
    origin: origins,
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  })
}

function configured<E>(readEnv: () => E): E {
  try {
    return readEnv()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    for (const line of error.lines) process.stderr.write(`configuration: ${line}\n`)
    process.exit(1)
  }
}

/** At once: Nest first ends what each module does in the background. */
function leaveWhenAsked(drain: Drain) {
  for (const signal of SIGNALS) process.once(signal, () => drain.begin())
}

/** A shutdown that hangs, on a connection that never ends, must not outlast the grace period. */
function endInTime(limitMs: number, log: Logger) {
  const watch = () => {
    setTimeout(() => {
      log.error(`not ended within ${limitMs} ms: leaving now`)
      process.exit(1)
    }, limitMs).unref()
  }
  for (const signal of SIGNALS) process.once(signal, watch)
}
