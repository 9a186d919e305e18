import { hash } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { Draw } from '../charges/draw.ts'
import type { Answer, Behaviour } from './behaviours.ts'
import type { ReceivedTry } from './verdict.ts'

/** A merchant's server on this machine, which records each try with what it answered. */

const LARGE = Buffer.alloc(10 * 1024 * 1024, 'x')
const HOST = '127.0.0.1'

export class Receiver {
  readonly tries: ReceivedTry[] = []
  /** The secret of the endpoint, once it was created. */
  secret = ''
  private readonly behaviour: Behaviour
  private readonly draw: Draw
  private readonly counts = new Map<string, number>()
  private server: Server | undefined
  private port = 0

  constructor(behaviour: Behaviour, draw: Draw) {
    this.behaviour = behaviour
    this.draw = draw
  }

  get url(): string {
    return `http://${HOST}:${this.port}/hook`
  }

  /** Listens, after an outage at the same port as before. */
  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const body = Buffer.concat(parts).toString()
        this.receive(request.headers as Record<string, string>, body, response)
      })
    })
    await new Promise<void>((resolve) => server.listen(this.port, HOST, resolve))
    this.port = (server.address() as AddressInfo).port
    this.server = server
  }

  /** Closes all connections, and refuses new ones. */
  async stop(): Promise<void> {
    const { server } = this
    this.server = undefined
    server?.closeAllConnections()
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
  }

  private receive(headers: Record<string, string>, body: string, response: ServerResponse) {
    const eventId = headers['webhook-id'] ?? ''
    const count = (this.counts.get(eventId) ?? 0) + 1
    this.counts.set(eventId, count)
    const answer = this.behaviour.answer(this.draw, eventId, count)
    this.tries.push({
      eventId,
      at: Date.now(),
      bodyHash: hash('sha256', body, 'hex'),
      isVerified: isVerified(this.secret, headers, body),
      status: statusOf(answer),
      ...subjectOf(body),
    })
    respond(response, answer)
  }
}

function isVerified(secret: string, headers: Record<string, string>, body: string): boolean {
  try {
    new Webhook(secret).verify(body, headers)
    return true
  } catch {
    return false
  }
}

/** What a body says of its payment; undefined in other events. */
export function subjectOf(body: string): Pick<ReceivedTry, 'payment'> {
  const { type, data } = JSON.parse(body) as {
    type: string
    data: { reference?: string; version?: number; status?: string }
  }
  const { reference, version, status } = data
  if (reference === undefined || version === undefined || status === undefined) return {}
  return { payment: { type, reference, version, status } }
}

function statusOf(answer: Answer): number | undefined {
  if (answer.kind === 'large') return 200
  return answer.kind === 'status' ? answer.status : undefined
}

function respond(response: ServerResponse, answer: Answer) {
  if (answer.kind === 'hang') return
  if (answer.kind === 'reset') return void response.socket?.resetAndDestroy()
  if (answer.kind === 'large') return void response.writeHead(200).end(LARGE)
  response.writeHead(answer.status, answer.headers).end()
}
