import 'reflect-metadata'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Module,
  Param,
  Post,
  Put,
  Req,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Registry } from 'prom-client'
import { readEnv } from '../src/config/env.js'
import { httpVariables } from '../src/config/variables.js'
import { Public, PublicBySignature } from '../src/http/access.js'
import { InvalidRequests } from '../src/http/invalid-requests.js'
import { shedOverload } from '../src/http/load-shedder.js'
import { HTTP_PROBLEMS, Problem } from '../src/http/problem.js'
import { RawBody } from '../src/http/raw-body.js'
import type { Request } from '../src/http/request.js'
import { SecretParameters } from '../src/http/secret-path.js'
import { configureRoutes, createAdapter } from '../src/http/server.js'
import { Drain } from '../src/http/shutdown.js'
import { createLogger } from '../src/telemetry/logger.js'

/** An app with routes that take raw bodies, of which one has a secret in its path. */

export const LIMIT_BYTES = 65_536
export const MAX_OPEN = 3
export const KEY = 'kJ8-s_wQ2mVxYb70aZtR1g'
export const WRONG_KEY = 'zz8-s_wQ2mVxYb70aZtR1g'
export const TEMPLATE = '/api/shelves/:shelf/:key'

class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    const { key } = context.switchToHttp().getRequest<Request>().params as { key: string }
    if (key === KEY) return true
    throw new Problem(HTTP_PROBLEMS.notFound, 'No route has this path.')
  }
}

/** What the handlers received, and what they wait for. */
const state = {
  received: [] as { request: Request; body: Buffer }[],
  work: Promise.resolve(),
}

function handle(request: Request): Promise<void> {
  state.received.push({ request, body: request.rawBody as Buffer })
  return state.work
}

@Controller('api/shelves')
class Shelves {
  @Post(':shelf/:key')
  @HttpCode(200)
  @PublicBySignature(KeyGuard)
  @SecretParameters('key')
  @RawBody({ limitBytes: LIMIT_BYTES, key: 'shelf', maxOpenPerKey: MAX_OPEN })
  post(@Req() request: Request) {
    return handle(request)
  }

  @Put('large/:shelf/:key')
  @PublicBySignature(KeyGuard)
  @RawBody({ limitBytes: 4_000_000, key: 'shelf', maxOpenPerKey: 10 })
  put(@Req() request: Request) {
    return handle(request)
  }

  @Get('books/:book')
  @Public()
  async get(@Param('book') book: string) {
    await state.work
    return { book }
  }
}

/** Starts the app, which allows four invalid requests of a network. */
export async function startShelves(limits?: Parameters<typeof shedOverload>[3]) {
  state.received.length = 0
  state.work = Promise.resolve()
  const lines: string[] = []
  const log = createLogger('kit', 'debug', { write: (line) => lines.push(line) })
  @Module({
    controllers: [Shelves],
    providers: [
      { provide: Registry, useFactory: () => new Registry() },
      { provide: Drain, useFactory: () => new Drain(0, log) },
    ],
  })
  class App {}
  const env = readEnv({ INVALID_REQUESTS_PER_MINUTE: '4' }, httpVariables(0, ''))
  const invalidRequests = new InvalidRequests(env)
  const app: NestFastifyApplication = await NestFactory.create(
    App,
    createAdapter(env, invalidRequests, () => log),
    { abortOnError: false, bodyParser: false, logger: false },
  )
  configureRoutes(app, { ...env, DB_WAIT_MS: 1_000 }, invalidRequests, log)
  const fastify = app.getHttpAdapter().getInstance()
  shedOverload(fastify, app.get(Registry), () => false, limits)
  await app.listen(0, '127.0.0.1')
  const port = Number(new URL(await app.getUrl()).port)
  return {
    port,
    lines,
    received: state.received,
    /** Handlers wait until the returned function is called. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      state.work = promise
      return resolve
    },
    send: (body?: Uint8Array, options: Options = {}) => send(port, body, options),
    /** Opens a connection, and sends the head of a request and the beginning of its body. */
    async begin(head: string, body = '', path = `/api/shelves/a/${KEY}`): Promise<Socket> {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`)
      return socket
    },
    close: () => app.close(),
  }
}

export type Stage = Awaited<ReturnType<typeof startShelves>>

interface Options {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** Sends a body with these headers and no others, apart from those of the protocol. */
function send(
  port: number,
  body: Uint8Array | undefined,
  { method = 'POST', path = `/api/shelves/a/${KEY}`, headers = {} }: Options,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const sent = httpRequest({ port, host: '127.0.0.1', path, method, headers }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    const { statusCode: status, headers: own } = response
    response.on('end', () => resolve({ status, headers: own, text }))
  })
  sent.on('error', reject)
  sent.end(body)
  return promise
}

export const lengthOf = (body: Uint8Array) => ({ 'content-length': String(body.length) })
