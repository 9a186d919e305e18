import { describe, expect, it } from 'vitest'
import { createLogger, errorForLog } from './logger.js'
import { MAX_LINE_BYTES } from './log-line.js'
import { requestContext } from './request-context.js'

describe('errorForLog', () => {
  it('keeps the code and constraint, and no value of a row', () => {
    const error = Object.assign(new Error('duplicate key, see +256772123456'), {
      code: '23505',
      constraint: 'users_phone_key',
      detail: 'Key (phone)=(+256772123456) already exists.',
      where: 'amina@example.com',
      config: { headers: { authorization: 'Bearer eyJa.eyJb.c' } },
    })
    const logged = errorForLog(error)
    expect(logged).toMatchObject({
      type: 'Error',
      message: 'duplicate key, see [phone …56]',
      code: '23505',
      constraint: 'users_phone_key',
    })
    expect(JSON.stringify(logged)).not.toMatch(/772123456|amina|eyJ/)
  })

  it('keeps the cause, masked', () => {
    const cause = new TypeError('amina@example.com')
    const logged = errorForLog(new Error('outer', { cause }))
    expect(logged).toMatchObject({ cause: { type: 'TypeError', message: '[email]' } })
  })

  it('accepts a thrown value that is not an error', () => {
    expect(errorForLog('call +256772123456')).toEqual({
      type: 'string',
      message: 'call [phone …56]',
    })
  })
})

describe('createLogger', () => {
  function logged(write: (log: ReturnType<typeof createLogger>) => void) {
    const lines: string[] = []
    write(createLogger('kit', 'debug', { write: (line) => lines.push(line) }))
    expect(lines).toHaveLength(1)
    return lines[0] ?? ''
  }
  const PHONE = '+256772123456'
  const IN_TEXT = `call ${PHONE}, amina@example.com`
  const MASKED = 'call [phone …56], [email]'

  it('masks every string of a line', () => {
    const line = logged((log) =>
      log.info(
        { requestId: 'a-256772123456', path: IN_TEXT, fields: [IN_TEXT], status: 400 },
        IN_TEXT,
      ),
    )
    expect(JSON.parse(line)).toMatchObject({
      requestId: 'a-[phone …56]',
      path: MASKED,
      fields: [MASKED],
      status: 400,
      msg: MASKED,
    })
  })

  it('masks the request id of the context, and the message of an error that is logged alone', () => {
    const context = {
      requestId: '256772123456',
      traceId: undefined,
      deadline: Infinity,
      isCompleted: false,
    }
    const line = requestContext.run(context, () => logged((log) => log.error(new Error(IN_TEXT))))
    expect(JSON.parse(line)).toMatchObject({
      requestId: '[phone …56]',
      msg: MASKED,
      err: { message: MASKED },
    })
  })

  it('cuts a line to 4 kB, and ends a cycle of causes', () => {
    const error = new Error('é'.repeat(50_000))
    error.cause = error
    const line = logged((log) => log.error({ err: error, requestId: 'a' }, 'request'))
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES)
    expect(JSON.parse(line)).toMatchObject({ level: 'error', requestId: 'a', msg: 'request' })
  })
})
