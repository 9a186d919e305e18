import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { mayRound, parseWithDigits } from './json-number.js'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import type { Request } from './request.js'

export const BODY_LIMIT_BYTES = 100_000

/** Parsers, validators and PostgreSQL's jsonb recurse into a body: deep nesting could overflow the stack. */
const MAX_DEPTH = 32

/** A field with one of these names could change the class or prototype of an object it is copied to. */
const FORBIDDEN_FIELDS: ReadonlySet<string> = new Set(['constructor', 'prototype'])

const BYTE_ORDER_MARK = /^\uFEFF/

/**
 * Accepts only JSON bodies in UTF-8 without `__proto__`. An invalid body becomes a `Problem`, which `InputPipe`
 * throws after the guards have run: an unauthenticated caller must get 401, not 400. A number keeps the digits
 * that were sent (json-number.ts). `InputPipe` rejects strings that the database can't store.
 */
export function acceptJsonOnly(fastify: FastifyInstance) {
  fastify.removeAllContentTypeParsers()
  const parseJson = fastify.getDefaultJsonParser('error', 'error')
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES },
    (request: Request, body: Buffer, done) => {
      request.rawBody = body
      if (body.length === 0) return done(null, malformed('The body is empty.'))
      if (!isUtf8(body)) return done(null, malformed('The body is not valid UTF-8.'))
      const text = body.toString('utf8')
      void parseJson(request, text, (error, value) => {
        if (error) return done(null, malformed('The body is not valid JSON.', error))
        const fault = faultOf(value)
        if (fault !== undefined) return done(null, malformed(fault))
        // The body is parsed again only if needed, and only after the limits: a reviver takes ten times as long.
        done(null, mayRound(text) ? parseWithDigits(text.replace(BYTE_ORDER_MARK, '')) : value)
      })
    },
  )
}

function malformed(detail: string, cause?: Error) {
  return new Problem(HTTP_PROBLEMS.malformed, detail, {}, { cause })
}

/** The reason to reject a body: too deep nesting or a forbidden field; undefined if there is none. */
function faultOf(value: unknown, depth = MAX_DEPTH): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (depth === 0) return `The body is nested more than ${MAX_DEPTH} levels deep.`
  for (const [name, inner] of Object.entries(value)) {
    const fault = FORBIDDEN_FIELDS.has(name)
      ? `A field must not be named ${name}.`
      : faultOf(inner, depth - 1)
    if (fault !== undefined) return fault
  }
  return undefined
}
