import type { FastifyReply } from 'fastify'
import { REQUEST_ID, SECURITY_HEADERS } from './headers.js'
import { overloaded, PROBLEM_JSON, problemDocument } from './problem.js'
import { shownPath } from './secret-path.js'

/** Spends at most `maxTickMs` per tick on rejections: a thousand at once would delay other responses. */
export class RejectionQueue {
  private queue: FastifyReply[] = []

  constructor(private readonly maxTickMs: number) {}

  add(reply: FastifyReply) {
    // Immediates run after the poll phase, in which all requests of this tick arrive.
    if (this.queue.push(reply.hijack()) === 1) setImmediate(() => this.flush())
  }

  private flush() {
    const startedAt = performance.now()
    let count = 0
    for (const reply of this.queue) {
      reject(reply)
      count++
      if (performance.now() - startedAt > this.maxTickMs) break
    }
    this.queue = this.queue.slice(count)
    if (this.queue.length > 0) setImmediate(() => this.flush())
  }
}

const OVERLOADED = overloaded()
const REJECTION_HEADERS = Object.entries({
  ...SECURITY_HEADERS,
  'cache-control': 'no-store',
  'content-type': PROBLEM_JSON,
  'retry-after': String(OVERLOADED.extras.retryAfterSeconds),
}).flat()

function reject({ request, raw }: FastifyReply) {
  const body = problemDocument(OVERLOADED, shownPath(request), request.id)
  const own = ['content-length', String(Buffer.byteLength(body)), REQUEST_ID, request.id]
  // Node writes an array of headers as it is, but copies an object first.
  raw.writeHead(OVERLOADED.kind.status, [...REJECTION_HEADERS, ...own])
  raw.end(body)
}
