import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { BodyMemory } from './body-memory.js'
import { limitFaultOf } from './json-limits.js'
import { mayRound, parseWithDigits } from './json-number.js'
import { siteOf } from './network.js'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import { BODY_LIMIT_BYTES, readBody } from './read-body.js'
import type { Request } from './request.js'

/** A field with one of these names could change the class or prototype of an object it is copied to. */
const FORBIDDEN_FIELDS: ReadonlySet<string> = new Set(['constructor', 'prototype'])

const BYTE_ORDER_MARK = /^\uFEFF/

/**
 * Accepts only JSON bodies in UTF-8 without `__proto__` and within the limits of json-limits.ts. An invalid body
 * becomes a `Problem`, which `InputPipe` throws after the guards have run: an unauthenticated caller must get 401,
 * not 400. An encoded body is rejected immediately, like another media type. A number keeps the digits that were
 * sent (json-number.ts). `InputPipe` rejects strings that the database can't store.
 */
export function acceptJsonOnly(fastify: FastifyInstance) {
  fastify.removeAllContentTypeParsers()
  const parseJson = fastify.getDefaultJsonParser('error', 'error')
  const parse = (request: Request, body: Buffer, done: (error: null, parsed: unknown) => void) => {
    if (body.length === 0) return done(null, malformed('The body is empty.'))
    if (!isUtf8(body)) return done(null, malformed('The body is not valid UTF-8.'))
    const text = body.toString('utf8')
    const limitFault = limitFaultOf(text)
    if (limitFault !== undefined) return done(null, malformed(limitFault))
    void parseJson(request, text, (error, value) => {
      if (error) return done(null, malformed('The body is not valid JSON.', error))
      const fault = faultOf(value)
      if (fault !== undefined) return done(null, malformed(fault))
      // The body is parsed again only if needed, and only after the limits: a reviver takes ten times as long.
      done(null, mayRound(text) ? parseWithDigits(text.replace(BYTE_ORDER_MARK, '')) : value)
    })
  }
  const memory = new BodyMemory()
  fastify.addContentTypeParser('application/json', (request: Request, payload, done) => {
    if (isEncoded(request)) return done(encodedBody())
    const reservation = memory.reservation(() => siteOf(request.ip))
    const contentLength = request.headers['content-length']
    const options = { contentLength, limitBytes: BODY_LIMIT_BYTES, memory: reservation }
    readBody(payload, options, (error, body) => {
      reservation.release()
      // Fastify closes the connection after the response to an error.
      if (!body) return done(error)
      request.rawBody = body
      parse(request, body, done)
    })
  })
}

function malformed(detail: string, cause?: Error) {
  return new Problem(HTTP_PROBLEMS.malformed, detail, {}, { cause })
}

/** Whether the body has a content coding. `identity` is none (RFC 9110, section 12.5.3). */
function isEncoded({ headers }: Request): boolean {
  const codings = headers['content-encoding']?.split(',') ?? []
  return codings.some((coding) => !/^(identity)?$/i.test(coding.trim()))
}

/** RFC 9110, section 15.5.16: `Accept-Encoding` names the codings that the server accepts. */
function encodedBody(): Problem {
  const detail = 'Send the body without Content-Encoding.'
  const headers = { 'accept-encoding': 'identity' }
  return new Problem(HTTP_PROBLEMS.contentEncoding, detail, { headers })
}

/** The reason to reject a body that has a forbidden field; undefined if it has none. */
function faultOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, inner] of Object.entries(value)) {
    const fault = FORBIDDEN_FIELDS.has(name) ? `A field must not be named ${name}.` : faultOf(inner)
    if (fault !== undefined) return fault
  }
  return undefined
}
