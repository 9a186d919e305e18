import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import type { Request } from './request.js'

/** Larger bodies are rejected with 413. */
export const BODY_LIMIT_BYTES = 100_000

/** Parsers, validators and PostgreSQL's jsonb recurse into a body: deeper ones could overflow the stack. */
const MAX_DEPTH = 32

/**
 * Libraries silently drop these fields to prevent prototype pollution. A body with one is rejected instead,
 * so that no client loses data unnoticed.
 */
const FORBIDDEN_FIELDS: ReadonlySet<string> = new Set(['constructor', 'prototype'])

/**
 * Matches an escape of NUL or of a surrogate. Bodies with one are rare, so only those are checked string by
 * string.
 */
const SUSPICIOUS = /\\u(0000|d[89a-f])/i

/**
 * Parses JSON bodies only: UTF-8, without `__proto__`, and without strings that PostgreSQL can't store.
 * Neither `text` nor `jsonb` accepts U+0000 or a lone surrogate: the statement would fail, and the client
 * would get 500.
 *
 * An invalid body becomes a `Problem` that `InputPipe` throws later. Parsing precedes the guards, and an
 * unauthenticated caller must get 401, not 400.
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
        if (error) done(null, malformed('The body is not valid JSON.', error))
        else {
          const fault = faultOf(value) ?? (SUSPICIOUS.test(text) ? stringFaultOf(value) : undefined)
          done(null, fault === undefined ? value : malformed(fault))
        }
      })
    },
  )
}

function malformed(detail: string, cause?: Error) {
  return new Problem(HTTP_PROBLEMS.malformed, detail, {}, { cause })
}

/** The reason to reject a body: it is too deep or has a forbidden field. */
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

function stringFaultOf(value: unknown): string | undefined {
  return isStorable(value) ? undefined : 'A string contains a NUL character or a lone surrogate.'
}

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner))
}
