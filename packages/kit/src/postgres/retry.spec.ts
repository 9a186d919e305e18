import { describe, expect, it } from 'vitest'
import {
  type RetryVerdict,
  retryVerdict,
  type Phase,
  StillRunning,
  UncertainCommit,
} from './retry.js'

const coded = (code: string) => Object.assign(new Error('an error'), { code })

/** A name, an error, and the verdicts for it while connecting and after the statement was sent. */
const TABLE: [string, unknown, RetryVerdict, RetryVerdict][] = [
  ['a server that is starting up', coded('57P03'), 'not_applied', 'not_applied'],
  ['a read-only server', coded('25006'), 'not_applied', 'not_applied'],
  ['too many connections', coded('53300'), 'not_applied', 'not_applied'],
  ['a wrong password, as during a rotation', coded('28P01'), 'not_applied', 'not_applied'],
  ['a lock timeout', coded('55P03'), 'not_applied', 'not_applied'],
  ['a cancelled statement', coded('57014'), 'not_applied', 'not_applied'],
  ['a deadlock', coded('40P01'), 'conflict', 'conflict'],
  ['a serialization failure', coded('40001'), 'conflict', 'conflict'],
  ['a termination by an administrator', coded('57P01'), 'in_doubt', 'in_doubt'],
  ['a crash', coded('57P02'), 'in_doubt', 'in_doubt'],
  ['a connection exception', coded('08006'), 'in_doubt', 'in_doubt'],
  ['a transaction of unknown outcome', coded('08007'), 'in_doubt', 'in_doubt'],
  ['a violated constraint', coded('23505'), 'final', 'final'],
  ['a syntax error', coded('42601'), 'final', 'final'],
  ['an unknown database', coded('3D000'), 'final', 'final'],
  ['a refused connection', coded('ECONNREFUSED'), 'not_applied', 'in_doubt'],
  ['a reset connection', coded('ECONNRESET'), 'not_applied', 'in_doubt'],
  ['a broken pipe', coded('EPIPE'), 'not_applied', 'in_doubt'],
  ['an unknown host', coded('ENOTFOUND'), 'not_applied', 'in_doubt'],
  ['a lost connection', new Error('Connection terminated unexpectedly'), 'not_applied', 'in_doubt'],
  ['a query timeout', new Error('Query read timeout'), 'not_applied', 'in_doubt'],
  [
    'a connection timeout',
    new Error('timeout exceeded when trying to connect'),
    'not_applied',
    'in_doubt',
  ],
  ['a cancelled wait for the standby', new UncertainCommit(), 'in_doubt', 'in_doubt'],
  ['an earlier attempt that is still running', new StillRunning(), 'not_applied', 'not_applied'],
  ['a programming error', new TypeError('x is not a function'), 'not_applied', 'final'],
  ['an error code of Node', coded('ERR_INVALID_ARG_TYPE'), 'not_applied', 'final'],
  ['a thrown string', 'oh', 'not_applied', 'final'],
  ['no error value', undefined, 'not_applied', 'final'],
]

describe('the retry verdict', () => {
  it.each(TABLE)('for %s', (_, error, connecting, sent) => {
    const verdicts = (['connecting', 'sent'] as Phase[]).map((phase) => retryVerdict(error, phase))
    expect(verdicts).toEqual([connecting, sent])
  })
})
