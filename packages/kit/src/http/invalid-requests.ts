import type { FastifyReply } from 'fastify'
import { LRUCache } from 'lru-cache'
import type { HttpEnv } from '../config/variables.js'
import { limitFactor, networksOf } from './network.js'
import { HTTP_PROBLEMS, Problem, type ProblemKind } from './problem.js'
import type { Request } from './request.js'

const WINDOW_MS = 60_000
/** A network that is not among the most recent ones starts to count from zero again. */
const MAX_NETWORKS = 10_000
/**
 * A client that waits for each response sends at most 10 requests a second over each connection. This is shorter
 * than every objective for the duration of requests, so that rejections cause no alert. It is random, because
 * clients that get their responses at once also send their next requests at once.
 */
const DELAY_MS = { min: 100, max: 200 }
/** Each delayed response has an open connection and some memory. */
const MAX_DELAYED = 256

/** Problems of requests that can't be processed, whatever the state of the service. */
const INVALID: ReadonlySet<ProblemKind> = new Set([
  HTTP_PROBLEMS.malformed,
  HTTP_PROBLEMS.validation,
  HTTP_PROBLEMS.tooLarge,
  HTTP_PROBLEMS.uriTooLong,
  HTTP_PROBLEMS.mediaType,
  HTTP_PROBLEMS.contentEncoding,
])

type Limits = Pick<HttpEnv, 'MODE' | 'INVALID_REQUESTS_PER_MINUTE'>

/**
 * Limits the invalid requests of a network. Further ones get a short 429 after a delay, so that they take
 * little CPU time from the requests of others. Valid requests are not affected, because many clients may share
 * an address.
 *
 * Each replica counts alone, because the limit protects its own CPU: it needs no call to Redis, and holds while
 * Redis is down.
 */
export class InvalidRequests {
  private readonly counts = new LRUCache<string, number>({ max: MAX_NETWORKS, ttl: WINDOW_MS })
  private readonly limit: number
  private delayed = 0

  constructor({ MODE, INVALID_REQUESTS_PER_MINUTE }: Limits) {
    // In the sandbox, one machine may send all clients' requests.
    this.limit = INVALID_REQUESTS_PER_MINUTE ?? (MODE === 'live' ? 100 : 10_000)
  }

  /**
   * Sends the problem of a request, or a delayed 429 if its network has sent too many invalid requests.
   *
   * @param ip the client's address
   */
  respond(
    { ip, request, reply }: { ip: string; request: Request; reply: FastifyReply },
    problem: Problem,
    send: (problem: Problem) => void,
  ) {
    const rejection = this.rejectionOf({ ip }, problem)
    if (rejection) this.delay(request, reply, () => send(rejection))
    else send(problem)
  }

  /** Counts a request if the problem is its own fault. Returns the 429 if its network has sent too many. */
  rejectionOf({ ip }: Pick<Request, 'ip'>, { kind }: Problem): Problem | undefined {
    if (!INVALID.has(kind)) return undefined
    for (const [nth, network] of networksOf(ip).entries()) {
      const retryAfterSeconds = this.count(network, this.limit * limitFactor(nth))
      // A /64 beyond its limit does not use up the limits of its neighbours' networks.
      if (retryAfterSeconds > 0) return tooManyInvalid(retryAfterSeconds)
    }
    return undefined
  }

  /** Counts a request of a network. Returns the seconds until the end of the window if it exceeds the limit. */
  private count(network: string, limit: number): number {
    const count = (this.counts.get(network) ?? 0) + 1
    if (count > limit) return Math.max(1, Math.ceil(this.counts.getRemainingTTL(network) / 1_000))
    // The window begins with the first request: later ones do not extend it.
    this.counts.set(network, count, { noUpdateTTL: true })
    return 0
  }

  /** Calls `respond` later, unless the client disconnects. With too many delayed, it closes the connection. */
  delay(request: Request, reply: FastifyReply, respond: () => void) {
    if (this.delayed >= MAX_DELAYED) {
      reply.header('connection', 'close')
      return respond()
    }
    this.delayed++
    // A body has up to 100 kB, and is not needed for the response.
    request.body = request.rawBody = undefined
    const delayMs = DELAY_MS.min + Math.random() * (DELAY_MS.max - DELAY_MS.min)
    const timer = setTimeout(respond, delayMs)
    reply.raw.once('close', () => {
      clearTimeout(timer)
      this.delayed--
    })
  }
}

function tooManyInvalid(retryAfterSeconds: number): Problem {
  const detail =
    'This network has sent too many invalid requests. Correct the request, then retry after the delay in Retry-After.'
  return new Problem(HTTP_PROBLEMS.tooManyInvalid, detail, { retryAfterSeconds })
}
