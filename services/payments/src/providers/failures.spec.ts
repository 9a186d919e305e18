import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FAILURE_CODES, FAILURES, isFailureCode } from './failures.js'

describe('the failures', () => {
  it('are documented, each once and in the same order', () => {
    const page = readFileSync(new URL('../../../../docs/providers.md', import.meta.url), 'utf8')
    const [section = ''] = page.split(/^## /m).filter((text) => text.startsWith('Failures'))
    const documented = [...section.matchAll(/^\| `(\w+)` /gm)].map(([, code]) => code)
    expect(documented).toEqual(FAILURE_CODES)
  })

  it('are a closed list', () => {
    expect(isFailureCode('payer_rejected')).toBe(true)
    expect(isFailureCode('toString')).toBe(false)
  })

  it('R19: a timeout and an unknown cause may still succeed, a decision of the payer may not', () => {
    const doubtful = FAILURE_CODES.filter((code) => FAILURES[code].mayStillSucceed)
    expect(doubtful).toEqual(['payer_timeout', 'provider_error'])
  })
})
