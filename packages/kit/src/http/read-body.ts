import type { Readable } from 'node:stream'
import { errorCodes } from 'fastify'
import type { BodyReservation } from './body-memory.js'
import { HTTP_PROBLEMS, overloaded, Problem } from './problem.js'

export const BODY_LIMIT_BYTES = 100_000

/**
 * A body of 100 kB has 190 segments of the smallest usual size (TCP, 536 bytes). A chunk of one byte takes 6 bytes
 * of a client, but 3 µs of CPU time.
 */
export const MAX_CHUNKS = 500

interface BodyOptions {
  /** Of the header, which may announce too large a body. */
  readonly contentLength: string | undefined
  readonly limitBytes: number
  /** Takes the memory of the body. The caller releases it. */
  readonly memory: BodyReservation
}

/**
 * Reads the bytes of a body. Fastify's own reader keeps each chunk until the end of the body: in chunks of one byte,
 * a body of 100 kB takes 20 MB of memory. After an error, the client may send more: close the connection.
 */
export function readBody(
  stream: Readable,
  { contentLength, limitBytes, memory }: BodyOptions,
  done: (error: Error | null, body?: Buffer) => void,
) {
  // A destroyed stream emits nothing.
  if (stream.destroyed) return done(new Error('the client has disconnected'))
  if (Number(contentLength) > limitBytes) return done(tooLarge())
  const mostBytes = contentLength === undefined ? limitBytes : Number(contentLength)
  let body = Buffer.alloc(0)
  let length = 0
  let chunks = 0
  const finish = (error: Error | null) => {
    stream.off('data', add).off('end', end).off('error', finish)
    if (error) {
      stream.pause()
      done(error)
    } else done(null, body.subarray(0, length))
  }
  const end = () => finish(null)
  const add = (chunk: Buffer) => {
    const needed = length + chunk.length
    if (needed > limitBytes) return finish(tooLarge())
    if (++chunks > MAX_CHUNKS) return finish(tooManyChunks())
    if (needed > body.length) {
      const smaller = body
      const size = Math.max(needed, Math.min(2 * length, mostBytes))
      if (!memory.resize(size)) return finish(overloaded())
      body = Buffer.allocUnsafe(size)
      smaller.copy(body)
    }
    length += chunk.copy(body, length)
  }
  stream.on('data', add).on('end', end).on('error', finish)
}

function tooLarge(): Error {
  return new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
}

function tooManyChunks(): Problem {
  const detail = `The body was received in more than ${MAX_CHUNKS} chunks: send it in larger ones.`
  return new Problem(HTTP_PROBLEMS.malformed, detail)
}
