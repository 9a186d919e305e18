import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import type { Request } from './request.js'

/** Bodies over this many bytes are refused with 413. */
export const BODY_LIMIT_BYTES = 100_000

/** Parsers, validators and PostgreSQL's jsonb go down a body by recursion: a stack has an end. */
const MOST_LEVELS = 32

/** Nest takes these out of every body, at any level, without a word: metadata would lose them. */
const DROPPED: ReadonlySet<string> = new Set(['constructor', 'prototype'])

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
        else {
          const fault = faultOf(value) ?? (SUSPICIOUS.test(text) ? textFaultOf(value) : undefined)
          done(null, fault === undefined ? value : malformed(fault))
        }
      })
    },
  )
}

function malformed(detail: string, cause?: Error) {
  return new Problem(HTTP_PROBLEMS.malformed, detail, {}, { cause })
}

/** What keeps a body from being taken further, as its sender is told; looks no further down than it must. */
function faultOf(value: unknown, levels = MOST_LEVELS): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (levels === 0) return `The body is nested more than ${MOST_LEVELS} levels deep.`
  for (const [name, inner] of Object.entries(value)) {
    const fault = DROPPED.has(name) ? `No field may be named ${name}.` : faultOf(inner, levels - 1)
    if (fault !== undefined) return fault
  }
  return undefined
}

function textFaultOf(value: unknown): string | undefined {
  return isStorable(value) ? undefined : 'A text has a NUL character or half of a character.'
}

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner))
}
