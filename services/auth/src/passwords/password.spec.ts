import { describe, expect, it } from 'vitest'
import { commonestPasswords, normalisePassword, passwordViolations } from './password.js'

const SHORT = 'must have at least 8 characters'
const LONG = 'must have at most 72 bytes of UTF-8'
const COMMON = 'must not be a common password; use a few uncommon words'

describe('a new password', () => {
  it.each([
    ['', [SHORT]],
    ['seven77', [SHORT]],
    ['eight888', []],
    ['seven7é', [SHORT]],
    // Eight code points, each of two UTF-16 units.
    ['😀😁😂😃😄😅😆😇', []],
    ['😀😁😂😃', [SHORT]],
    ['a'.repeat(72), []],
    ['a'.repeat(73), [LONG]],
    ['é'.repeat(36), []],
    [`${'é'.repeat(36)}a`, [LONG]],
    ['😀'.repeat(18), []],
    ['😀'.repeat(19), [LONG]],
    ['commonest', [COMMON]],
    ['CommonesT', [COMMON]],
    ['commonest1', []],
    ['        ', []],
  ])('%j: %j', (password, faults) => {
    expect(passwordViolations(password, new Set(['commonest']))).toEqual(faults)
  })

  it.each(['password', 'PASSWORD', '12345678', 'qwertyuiop', 'iloveyou', 'Football'])(
    'is not to be %s',
    async (password) => {
      expect(passwordViolations(password, await commonestPasswords())).toEqual([COMMON])
    },
  )

  it('is limited in its composed form', () => {
    const violations = (password: string) =>
      passwordViolations(normalisePassword(password), new Set())
    expect(violations('é'.repeat(36).normalize('NFD'))).toEqual([])
    expect(violations('é'.repeat(37).normalize('NFD'))).toEqual([LONG])
    expect(violations('가'.repeat(24).normalize('NFD'))).toEqual([])
    expect(violations('éèêëēĕė'.normalize('NFD'))).toEqual([SHORT])
    expect(violations('\u1F82'.repeat(24).normalize('NFD'))).toEqual([])
    expect(violations('e\u0301'.repeat(50_000))).toEqual([LONG])
  })

  it('is compared with the common passwords of sufficient length', async () => {
    const commonest = await commonestPasswords()
    expect(commonest.size).toBeGreaterThan(10_000)
    for (const password of commonest) {
      expect(password.length).toBeGreaterThanOrEqual(8)
      expect(password).toBe(password.toLowerCase())
      expect(password).toBe(normalisePassword(password))
    }
  })
})
