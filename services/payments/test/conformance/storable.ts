import { expect } from 'vitest'
import { FAILURE_CODES } from '../../src/providers/failures.js'
import { FLAGS, type QueryReading, type SendReading } from '../../src/providers/reading.js'

/** PostgreSQL stores no U+0000 and no lone surrogates, and a list shows at most 128 characters. */
export function expectStorable(reading: SendReading | QueryReading) {
  const { flags = [], retryAfterSeconds = 0, ...stated } = reading
  for (const flag of flags) expect(Object.keys(FLAGS)).toContain(flag)
  const failure = 'failure' in reading ? reading.failure : 'not_sent'
  expect(FAILURE_CODES).toContain(failure)
  expect(retryAfterSeconds).toBeGreaterThanOrEqual(0)
  for (const text of Object.values(stated)) {
    if (typeof text !== 'string') continue
    expect(text).toMatch(/^[^\p{Cc}\p{Cs}]{1,128}$/u)
  }
}
