import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import type { Request } from './request.js'

/** Bodies over this many bytes are refused with 413. */
export const BODY_LIMIT_BYTES = 100_000

/** Parsers, validators and PostgreSQL's jsonb go down a body by recursion: a stack has an end. */
const MOST_LEVELS = 32

/** An escape that may stand for NUL or for half of a character; rare, so looked into only then. */
const SUSPICIOUS = /\\u(0000|d[89a-f])/i

/**
 * Reads JSON bodies and nothing else: UTF-8, no `__proto__`, and no text that PostgreSQL can't keep.
 * Neither `text` nor `jsonb` takes U+0000 or half of a surrogate pair, so such a body is the
 * client's error (400) before it becomes the database's.
 *
 * Such a body is handed on as the problem that it is, which `InputPipe` throws: parsing comes before the
 * guards, and who may not call at all is told that first.
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
      if (!isUtf8(body)) return done(null, malformed('The body is not UTF-8.'))
      const text = body.toString('utf8')
      void parseJson(request, text, (error, value) => {
        if (error) done(null, malformed('The body is not JSON.', error))
        else if (isDeeper(value, MOST_LEVELS))
          done(null, malformed(`The body is nested more than ${MOST_LEVELS} levels deep.`))
        else if (SUSPICIOUS.test(text) && !isStorable(value))
          done(null, malformed('A text has a NUL character or half of a character.'))
        else done(null, value)
      })
    },
  )
}

function malformed(detail: string, cause?: Error) {
  return new Problem(HTTP_PROBLEMS.malformed, detail, {}, { cause })
}

/** Looks no further down than it must. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner))
}
