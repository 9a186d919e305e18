import 'reflect-metadata'
import { readFileSync } from 'node:fs'
import type { DynamicModule } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Registry } from 'prom-client'
import { ConfigurationError } from './config/env.js'
import type { DatabaseEnv, HttpEnv } from './config/variables.js'
import { anyAddress } from './http/any-address.js'
import { InvalidRequests } from './http/invalid-requests.js'
import { shedOverload } from './http/load-shedder.js'
import { type ServiceInfo, serveOpenApi } from './http/openapi.js'
import { allowOrigins, configureRoutes, createAdapter } from './http/server.js'
import { maxDrainMs, shutDownOnSignal } from './http/shutdown.js'
import { Database } from './postgres/database.js'
import { LOG, type Logger, nestLogger } from './telemetry/logger.js'
import { registerBuildInfo } from './telemetry/metrics.js'
import { startTracing } from './telemetry/start-tracing.js'

interface Service<E> {
  readonly about: ServiceInfo
  /** The service's own response headers that scripts from `CORS_ORIGINS` may read. */
  readonly exposedHeaders?: readonly string[]
  with(env: E): DynamicModule
}

type BootEnv = HttpEnv & Pick<DatabaseEnv, 'DB_WAIT_MS'>

/** Time for a shutdown in addition to the drain and to `DB_WAIT_MS`, the longest wait of a request. */
const SHUTDOWN_SLACK_MS = 5_000

/** Starts a service and shuts it down on a signal. The service listens before its database is available. */
export async function bootstrap<E extends BootEnv>(service: Service<E>, readEnv: () => E) {
  const env = envOrExit(readEnv)
  const app = await createApp(service, env)
  const log = app.get<Logger>(LOG)
  const shutdownMs = maxDrainMs(env.SHUTDOWN_DRAIN_MS) + env.DB_WAIT_MS + SHUTDOWN_SLACK_MS
  shutDownOnSignal(app, shutdownMs, log)
  try {
    await app.listen(env.PORT, await anyAddress())
  } catch (error) {
    log.fatal({ err: error }, `cannot listen on port ${env.PORT}`)
    process.exit(1)
  }
  log.info({ port: env.PORT, mode: env.MODE }, 'listening')
}

/** Creates the configured app, which does not listen yet. */
export async function createApp<E extends BootEnv>(service: Service<E>, env: E) {
  const invalidRequests = new InvalidRequests(env)
  const app: NestFastifyApplication = await NestFactory.create(
    service.with(env),
    createAdapter(env, invalidRequests, () => app.get<Logger>(LOG)),
    { abortOnError: false, bodyParser: false, bufferLogs: true },
  )
  const log = app.get<Logger>(LOG)
  app.useLogger(nestLogger(log))
  await startTracing(service.about, env, log.child({ part: 'tracing' }))
  configureRoutes(app, env, invalidRequests, log)
  const database = app.get(Database)
  shedOverload(app.getHttpAdapter().getInstance(), app.get(Registry), () => database.isBehind)
  registerBuildInfo(app.get(Registry), service.about)
  allowOrigins(app, env, service.exposedHeaders)
  serveOpenApi(app, service.about)
  return app
}

/** Returns the version of the package that contains `module`, an `import.meta.url` in `src` or `dist`. */
export function versionOf(module: string): string {
  const text = readFileSync(new URL('../package.json', module), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function envOrExit<E>(readEnv: () => E): E {
  try {
    return readEnv()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    for (const line of error.lines) process.stderr.write(`configuration: ${line}\n`)
    process.exit(1)
  }
}
