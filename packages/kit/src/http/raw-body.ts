import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common'
import { errorCodes, type FastifyInstance, type FastifyReply } from 'fastify'
import { finalize, type Observable } from 'rxjs'
import { BodyMemory, type BodyReservation } from './body-memory.js'
import { OpenLimit } from './open-limit.js'
import { HTTP_PROBLEMS, overloaded, Problem } from './problem.js'
import { readBody } from './read-body.js'
import type { Request } from './request.js'
import { routeConfig } from './route-config.js'

/**
 * Routes for senders that this API has no influence on, such as providers. A request is sent once or a few times, in
 * any form, and many come from one address.
 */
export interface RawBodyOptions {
  /** A longer body is rejected with 413. */
  readonly limitBytes: number
  /** The path parameter by which requests are limited. The guard of the route has checked its value. */
  readonly key: string
  /** Requests of a key whose body has been received and whose handler runs. Further ones get 503. */
  readonly maxOpenPerKey: number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set by `RawBody`. */
    rawBody?: RawBodyOptions
  }
}

/** Memory of all raw bodies, in addition to that of JSON bodies. Each key has a share of it. */
const MAX_BYTES = 16_000_000

/**
 * Declares a route that takes the bytes of a body as `rawBody`, with any media type and content coding or without
 * one; nothing is parsed or decoded. The route is exempt from the limits by address: those on invalid requests, on the
 * memory of bodies, and the shares of the load shedder, which sheds it last. Instead, requests are limited by key.
 *
 * The guard runs before the body is read, so that a sender without access can't occupy memory.
 */
export function RawBody(options: RawBodyOptions): MethodDecorator {
  return applyDecorators(routeConfig({ rawBody: options }), UseInterceptors(RawBodyReader))
}

export function hasRawBody({ routeOptions }: Pick<Request, 'routeOptions'>): boolean {
  return routeOptions.config?.rawBody !== undefined
}

/** Reads the body of a request that the guard has admitted. */
@Injectable()
export class RawBodyReader implements NestInterceptor {
  private readonly memory = new BodyMemory(MAX_BYTES)
  private readonly open = new OpenLimit()

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const http = context.switchToHttp()
    const request = http.getRequest<Request>()
    const reply = http.getResponse<FastifyReply>()
    const options = request.routeOptions.config.rawBody
    if (!options) throw new Error('the route has no RawBody')
    const key = (request.params as Readonly<Record<string, string>>)[options.key] ?? ''
    const memory = this.memory.reservation(() => key)
    try {
      request.rawBody = await read(request, reply, options.limitBytes, memory)
      if (!this.open.enter(key, options.maxOpenPerKey)) throw overloaded()
    } catch (error) {
      memory.release()
      throw error
    }
    // The handler may outlive the connection.
    const leave = () => {
      memory.release()
      this.open.leave(key)
    }
    return next.handle().pipe(finalize(leave))
  }
}

function read(request: Request, reply: FastifyReply, limitBytes: number, memory: BodyReservation) {
  const contentLength = request.raw.headers['content-length']
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  readBody(request.raw, { contentLength, limitBytes, memory }, (error, body) => {
    if (body) return resolve(body)
    // The client may send more.
    reply.header('connection', 'close')
    const isTooLarge = error instanceof errorCodes.FST_ERR_CTP_BODY_TOO_LARGE
    reject(isTooLarge ? tooLarge(limitBytes) : (error as Error))
  })
  return promise
}

function tooLarge(limitBytes: number): Problem {
  return new Problem(HTTP_PROBLEMS.tooLarge, `The body is larger than ${limitBytes} bytes.`)
}

/** Fastify reads no body of a request without these headers. */
const NO_BODY = {
  'content-type': undefined,
  'content-length': undefined,
  'transfer-encoding': undefined,
}

/** Hides the bodies of raw routes from Fastify's parsers, which reject media types that they do not know. */
export function skipRawBodies(fastify: FastifyInstance) {
  fastify.addHook('onRoute', (route) => {
    if (!route.config?.rawBody) return
    route.preParsing = (request: Request, _reply, payload, done) => {
      request.headers = NO_BODY
      done(null, payload)
    }
    route.preValidation = (request: Request, _reply, done) => {
      // Without own headers, Fastify returns those of the request again.
      request.headers = undefined as never
      done()
    }
    route.onSend = (request: Request, reply, payload, done) => {
      if (mayBeEndless(request)) reply.header('connection', 'close')
      done(null, payload)
    }
  })
}

/** Whether a response is sent before a long body has been received. Node would receive and discard the rest of it. */
function mayBeEndless({ raw, routeOptions }: Request): boolean {
  const { 'content-length': length = 0, 'transfer-encoding': coding } = raw.headers
  const most = coding === undefined ? Number(length) : Infinity
  return !raw.complete && most > (routeOptions.config.rawBody?.limitBytes ?? 0)
}
