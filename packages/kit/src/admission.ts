import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { Counter, type Registry } from 'prom-client'
import { overloaded, pathOf, PROBLEM_JSON, problemDocument } from './problem.js'
import { REQUEST_ID, requestId } from './request-id.js'

/**
 * The door: what arrives beyond what can be answered in time is refused here, for a tenth of what an answer
 * costs. Otherwise everyone would wait in the sockets' buffers, where nobody sees how long.
 *
 * A turn of the event loop takes in all that has arrived since the last one, so a turn that takes long tells
 * of a crowd at the door. It begins work for a while, and refuses the rest of that turn. An outage of the
 * database is no crowd: the loop is idle then, and requests wait for it.
 */

export interface DoorLimits {
  /** For how long a turn of the event loop takes in requests, ms. */
  readonly turnMs: number
  /** So many may be inside whatever the clock says: a turn is also long when others take the core. */
  readonly welcome: number
}

const LIMITS: DoorLimits = { turnMs: 10, welcome: 200 }

/** What every answer is headed with, but for its request's id. */
export const SECURITY_HEADERS = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const

/** Puts the door before whatever answers the server's requests; probes and metrics always pass. */
export function shedOverload(server: Server, registry: Registry, limits = LIMITS) {
  const refused = new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests refused at the door with 503, since more arrived than could be answered in time',
    registers: [registry],
  })
  const [answer] = server.listeners('request') as RequestListener[]
  if (!answer) throw new Error('nobody answers requests yet')
  const door = new Door(limits)
  server.removeListener('request', answer)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith('/api/')) return answer(request, response)
    if (door.isOpen()) {
      door.enter()
      response.once('close', () => door.leave())
      return answer(request, response)
    }
    refused.inc()
    refuse(request, response)
  })
}

class Door {
  private inside = 0
  private turnBegan: number | undefined

  constructor(private readonly limits: DoorLimits) {}

  isOpen(): boolean {
    const now = performance.now()
    if (this.turnBegan === undefined) {
      this.turnBegan = now
      // Immediates run after all that this turn's poll has brought.
      setImmediate(() => (this.turnBegan = undefined))
    }
    return this.inside < this.limits.welcome || now - this.turnBegan < this.limits.turnMs
  }

  enter() {
    this.inside++
  }

  leave() {
    this.inside--
  }
}

function refuse(request: IncomingMessage, response: ServerResponse) {
  const id = requestId(request.headers)
  const problem = overloaded()
  const body = JSON.stringify(problemDocument(problem, pathOf(request), id))
  response.writeHead(problem.kind.status, {
    ...SECURITY_HEADERS,
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
    'content-type': PROBLEM_JSON,
    'retry-after': String(problem.extras.retryAfterSeconds),
    [REQUEST_ID]: id,
  })
  response.end(body)
}
