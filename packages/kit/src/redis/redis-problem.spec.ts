import { describe, expect, it } from 'vitest'
import { isReplica, problemOf } from './redis-problem.js'

describe('the problem of Redis', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'wrong password'],
    ['NOAUTH Authentication required.', 'wrong password'],
    ["NOPERM this user has no permissions to run the 'set' command", 'missing right'],
    ["READONLY You can't write against a read only replica.", 'read-only'],
    [
      "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
      'read-only',
    ],
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'full'],
    ['ERR max number of clients reached', 'refusing'],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'unreachable'],
    ["Socket timeout. Expecting data, but didn't receive any in 2000ms.", 'unreachable'],
    ['Connection is closed.', 'unreachable'],
    [
      'All sentinels are unreachable. Retrying from scratch after 50ms. Last error: WRONGPASS invalid',
      'wrong password',
    ],
    [
      'All sentinels are unreachable. Retrying from scratch after 50ms. Last error: connect ETIMEDOUT',
      'unreachable',
    ],
  ])('after "%s" is: %s', (message, problem) => {
    expect(problemOf(new Error(message))).toBe(problem)
  })

  it.each([
    ["READONLY You can't write against a read only replica.", true],
    ['MASTERDOWN Link with MASTER is down', true],
    ['ERR READONLY', false],
  ])('"%s" comes from a replica: %s', (message, expected) => {
    expect(isReplica(new Error(message))).toBe(expected)
  })
})
