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

/**
 * Reads the bytes of a body. Fastify's own reader keeps each chunk until the end of the body: in chunks of one byte,
 * a body of 100 kB takes 20 MB of memory.
 */
export function readBody(
  stream: Readable,
  contentLength: string | undefined,
  memory: BodyReservation,
  done: (error: Error | null, body?: Buffer) => void,
) {
  if (Number(contentLength) > BODY_LIMIT_BYTES) return done(tooLarge())
  let body = Buffer.alloc(0)
  let length = 0
  let chunks = 0
  const finish = (error: Error | null) => {
    stream.off('data', add).off('end', end).off('error', finish)
    memory.release()
    if (error) {
      // Fastify closes the connection after the response.
      stream.pause()
      done(error)
    } else done(null, body.subarray(0, length))
  }
  const end = () => finish(null)
  const add = (chunk: Buffer) => {
    const needed = length + chunk.length
    if (needed > BODY_LIMIT_BYTES) return finish(tooLarge())
    if (++chunks > MAX_CHUNKS) return finish(tooManyChunks())
    if (needed > body.length) {
      const smaller = body
      const size = Math.max(needed, 2 * length)
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
