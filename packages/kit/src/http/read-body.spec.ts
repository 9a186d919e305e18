import { PassThrough } from 'node:stream'
import { expect, it, vi } from 'vitest'
import { BodyMemory, MAX_SHARE_BYTES } from './body-memory.js'
import { Problem } from './problem.js'
import { BODY_LIMIT_BYTES, MAX_CHUNKS, readBody } from './read-body.js'

interface Result {
  readonly error: Error | null
  readonly body: string | undefined
}

const optionsOf = (memory: BodyMemory, contentLength?: string) => ({
  contentLength,
  limitBytes: BODY_LIMIT_BYTES,
  memory: memory.reservation(() => '192.0.2.1'),
})

/** The result for a body that is received in these chunks. */
function read(chunks: readonly string[], contentLength?: string, memory = new BodyMemory()) {
  const stream = new PassThrough({ highWaterMark: 2 * BODY_LIMIT_BYTES })
  const result = new Promise<Result>((resolve) => {
    const options = optionsOf(memory, contentLength)
    readBody(stream, options, (error, body) => {
      options.memory.release()
      resolve({ error, body: body?.toString('utf8') })
    })
  })
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return { stream, result }
}

it.each([
  ['nothing', []],
  ['one chunk', ['{"a":1}']],
  ['a character that is split', ['{"a":"', '\u00e9', '"}']],
  ['growing chunks', ['a', 'bb', 'c'.repeat(5_000), 'd'.repeat(50_000), 'e']],
  ['the most chunks', Array.from({ length: MAX_CHUNKS }, (_, i) => String(i % 10))],
])('reads the bytes of %s', async (_, chunks) => {
  expect(await read(chunks).result).toEqual({ error: null, body: chunks.join('') })
})

it('stops at a chunk more than the limit, however short the body', async () => {
  const { stream, result } = read(Array<string>(MAX_CHUNKS + 1).fill(' '))
  const { error } = await result
  expect((error as Problem).kind.type).toBe('malformed-request')
  expect([stream.isPaused(), stream.listenerCount('data')]).toEqual([true, 0])
})

it('stops at the limit of bytes, which the header may announce', async () => {
  const half = ' '.repeat(BODY_LIMIT_BYTES / 2)
  expect((await read([half, half]).result).error).toBeNull()
  const tooLarge = { code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }
  expect((await read([half, half, ' ']).result).error).toMatchObject(tooLarge)
  expect((await read([], String(BODY_LIMIT_BYTES + 1)).result).error).toMatchObject(tooLarge)
})

it('fails if the client disconnects', async () => {
  const { stream, result } = read([])
  const error = new Error('aborted')
  stream.destroy(error)
  expect(await result).toEqual({ error, body: undefined })
})

it('fails if the client has disconnected before', async () => {
  const stream = new PassThrough()
  stream.destroy()
  const failed = Promise.withResolvers<Error | null>()
  readBody(stream, optionsOf(new BodyMemory()), failed.resolve)
  expect((await failed.promise)?.message).toBe('the client has disconnected')
})

it('stops with 503 if the bodies of the share take too much memory, until it is released', async () => {
  const memory = new BodyMemory()
  const half = ' '.repeat(BODY_LIMIT_BYTES / 2)
  const stalled = Array.from({ length: MAX_SHARE_BYTES / half.length }, () => new PassThrough())
  const results = stalled.map((stream) => {
    const { promise, resolve } = Promise.withResolvers<Error | null>()
    const options = optionsOf(memory)
    readBody(stream, options, (failure) => {
      options.memory.release()
      resolve(failure)
    })
    stream.write(half)
    return promise
  })
  await vi.waitUntil(async () => (await read([half], undefined, memory).result).error !== null)
  const { error } = await read([half], undefined, memory).result
  expect((error as Problem).kind.status).toBe(503)
  expect((await read(['{}'], undefined, memory).result).error).toBeNull()
  for (const stream of stalled) stream.destroy(new Error('aborted'))
  await Promise.all(results)
  expect((await read([half], undefined, memory).result).error).toBeNull()
})
