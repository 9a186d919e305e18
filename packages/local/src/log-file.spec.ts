import { expect, it } from 'vitest'
import { forTerminal } from './log-file.js'

const line = (level: string, more = {}) =>
  JSON.stringify({ level, time: '2026-01-02T03:04:05.678Z', service: 'auth', msg: 'text', ...more })

it.each(['warn', 'error', 'fatal'])('shows a %s line in a short form', (level) => {
  expect(forTerminal(line(level))).toBe(`03:04:05 auth ${level} text`)
})

it('shows the additional fields of a line', () => {
  expect(forTerminal(line('warn', { code: '57P01' }))).toBe(
    '03:04:05 auth warn text {"code":"57P01"}',
  )
})

it.each(['debug', 'info'])('writes %s lines to the file only', (level) => {
  expect(forTerminal(line(level))).toBeUndefined()
})

it('shows lines that are not JSON', () => {
  expect(forTerminal('Error: no such module')).toBe('Error: no such module')
  expect(forTerminal('')).toBeUndefined()
})
