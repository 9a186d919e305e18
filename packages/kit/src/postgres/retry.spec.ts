import { describe, expect, it } from 'vitest'
import {
  type RetryVerdict,
  retryVerdict,
  type Phase,
  StillRunning,
  UncertainCommit,
} from './retry.js'

const coded = (code: string) => Object.assign(new Error('an error'), { code })

/** A row: the error, and the fate of a statement that met it while connecting and once sent. */
const TABLE: [string, unknown, RetryVerdict, RetryVerdict][] = [
  ['starting up', coded('57P03'), 'refused', 'refused'],
  ['a replica', coded('25006'), 'refused', 'refused'],
  ['too many connections', coded('53300'), 'refused', 'refused'],
  ['a rotated password', coded('28P01'), 'refused', 'refused'],
  ['no lock in time', coded('55P03'), 'refused', 'refused'],
  ['a cancelled statement', coded('57014'), 'refused', 'refused'],
  ['a deadlock', coded('40P01'), 'again', 'again'],
  ['a serialization failure', coded('40001'), 'again', 'again'],
  ['shut down by an administrator', coded('57P01'), 'unknown', 'unknown'],
  ['a crash', coded('57P02'), 'unknown', 'unknown'],
  ['a connection exception', coded('08006'), 'unknown', 'unknown'],
  ['a transaction of unknown outcome', coded('08007'), 'unknown', 'unknown'],
  ['a violated constraint', coded('23505'), 'final', 'final'],
  ['a syntax error', coded('42601'), 'final', 'final'],
  ['an unknown database', coded('3D000'), 'final', 'final'],
  ['connection refused', coded('ECONNREFUSED'), 'refused', 'unknown'],
  ['a reset', coded('ECONNRESET'), 'refused', 'unknown'],
  ['a broken pipe', coded('EPIPE'), 'refused', 'unknown'],
  ['no such host', coded('ENOTFOUND'), 'refused', 'unknown'],
  ['a lost connection', new Error('Connection terminated unexpectedly'), 'refused', 'unknown'],
  ['no answer in time', new Error('Query read timeout'), 'refused', 'unknown'],
  [
    'no connection in time',
    new Error('timeout exceeded when trying to connect'),
    'refused',
    'unknown',
  ],
  ['a wait for a standby that was cut short', new UncertainCommit(), 'unknown', 'unknown'],
  ['an earlier try that still runs', new StillRunning(), 'refused', 'refused'],
  ['a mistake of ours', new TypeError('x is not a function'), 'refused', 'final'],
  ['an error of Node’s own', coded('ERR_INVALID_ARG_TYPE'), 'refused', 'final'],
  ['a thrown text', 'oh', 'refused', 'final'],
  ['nothing', undefined, 'refused', 'final'],
]

describe('what became of a statement', () => {
  it.each(TABLE)('%s', (_, error, connecting, sent) => {
    const fates = (['connecting', 'sent'] as Phase[]).map((phase) => retryVerdict(error, phase))
    expect(fates).toEqual([connecting, sent])
  })

  it('that was never built is refused by a network that is down, else it is final', () => {
    expect(retryVerdict(coded('ECONNREFUSED'), 'building')).toBe('refused')
    expect(retryVerdict(new TypeError('x is not a function'), 'building')).toBe('final')
  })
})
