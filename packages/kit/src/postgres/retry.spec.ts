import { describe, expect, it } from 'vitest'
import {
  keepsConnection,
  type RetryVerdict,
  retryVerdict,
  type Phase,
  StatementTimeout,
  StillRunning,
  UncertainCommit,
} from './retry.js'

const coded = (code: string) => Object.assign(new Error('an error'), { code })
const planChange = Object.assign(coded('0A000'), { routine: 'RevalidateCachedQuery' })

/** A name, an error, and the verdicts for it while connecting and after the statement was sent. */
const TABLE: [string, unknown, RetryVerdict, RetryVerdict][] = [
  ['a server that is starting up', coded('57P03'), 'not_applied', 'not_applied'],
  ['a read-only server', coded('25006'), 'not_applied', 'not_applied'],
  ['too many connections', coded('53300'), 'not_applied', 'not_applied'],
  ['a full disk', coded('53100'), 'not_applied', 'not_applied'],
  ['exhausted memory', coded('53200'), 'not_applied', 'not_applied'],
  ['a wrong password, as during a rotation', coded('28P01'), 'not_applied', 'not_applied'],
  ['a refused role', coded('28000'), 'not_applied', 'final'],
  ['an unknown database', coded('3D000'), 'not_applied', 'final'],
  ['a database that accepts no connections', coded('55000'), 'not_applied', 'final'],
  ['a missing privilege', coded('42501'), 'not_applied', 'not_applied'],
  ['a missing table', coded('42P01'), 'not_applied', 'not_applied'],
  ['a missing schema', coded('3F000'), 'not_applied', 'not_applied'],
  ['a missing column', coded('42703'), 'not_applied', 'not_applied'],
  ['a trigger that was planned for another type', coded('42804'), 'not_applied', 'not_applied'],
  ['a missing function', coded('42883'), 'not_applied', 'not_applied'],
  ['a lock timeout', coded('55P03'), 'not_applied', 'not_applied'],
  ['a cancelled statement', coded('57014'), 'not_applied', 'not_applied'],
  ['an idle session that was ended', coded('57P05'), 'not_applied', 'not_applied'],
  ['a plan whose result type has changed', planChange, 'not_applied', 'not_applied'],
  ['an unknown prepared statement', coded('26000'), 'not_applied', 'not_applied'],
  ['an unsupported feature', coded('0A000'), 'not_applied', 'final'],
  ['a deadlock', coded('40P01'), 'conflict', 'conflict'],
  ['a serialization failure', coded('40001'), 'conflict', 'conflict'],
  ['a termination by an administrator', coded('57P01'), 'not_applied', 'in_doubt'],
  ['a crash', coded('57P02'), 'not_applied', 'in_doubt'],
  ['a dropped database', coded('57P04'), 'not_applied', 'in_doubt'],
  ['a connection exception', coded('08006'), 'not_applied', 'in_doubt'],
  ['a transaction of unknown outcome', coded('08007'), 'not_applied', 'in_doubt'],
  ['a violated constraint', coded('23505'), 'not_applied', 'final'],
  ['an invalid value', coded('22P02'), 'not_applied', 'final'],
  ['a syntax error', coded('42601'), 'not_applied', 'final'],
  ['a refused connection', coded('ECONNREFUSED'), 'not_applied', 'in_doubt'],
  ['a reset connection', coded('ECONNRESET'), 'not_applied', 'in_doubt'],
  ['a broken pipe', coded('EPIPE'), 'not_applied', 'in_doubt'],
  ['an unknown host', coded('ENOTFOUND'), 'not_applied', 'in_doubt'],
  ['a lost connection', new Error('Connection terminated unexpectedly'), 'not_applied', 'in_doubt'],
  ['a query timeout', new Error('Query read timeout'), 'not_applied', 'in_doubt'],
  ['no answer in time', new StatementTimeout(6_000), 'not_applied', 'in_doubt'],
  ['a cancelled wait for the standby', new UncertainCommit(), 'in_doubt', 'in_doubt'],
  ['an earlier attempt that is still running', new StillRunning(), 'not_applied', 'not_applied'],
  ['a programming error', new TypeError('x is not a function'), 'not_applied', 'final'],
  ['an error code of Node', coded('ERR_INVALID_ARG_TYPE'), 'not_applied', 'final'],
  ['a thrown string', 'oh', 'not_applied', 'final'],
  ['no error value', undefined, 'not_applied', 'final'],
]

describe('a connection', () => {
  it.each([
    ['a violated constraint', '23505', true, true],
    ['a lock timeout', '55P03', true, true],
    ['a full disk', '53100', true, true],
    ['a deadlock', '40P01', true, true],
    ['a read-only server', '25006', true, false],
    ['a missing privilege', '42501', true, false],
    ['a trigger that was planned for another type', '42804', false, false],
    ['a termination', '57P01', false, false],
  ])('after %s is used again: %s %s if new, %s otherwise', (_, code, ...expected) => {
    const keeps = [true, false].map((isNew) => keepsConnection(coded(code), 'sent', isNew))
    expect(keeps).toEqual(expected)
  })
})

describe('the retry verdict', () => {
  it.each(TABLE)('for %s', (_, error, connecting, sent) => {
    const verdicts = (['connecting', 'sent'] as Phase[]).map((phase) => retryVerdict(error, phase))
    expect(verdicts).toEqual([connecting, sent])
  })
})
