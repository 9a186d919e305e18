/** Why Redis can't be used, as `/health` names it. */
export type RedisProblem =
  | 'unreachable'
  | 'wrong password'
  | 'missing right'
  | 'read-only'
  | 'loading'
  | 'full'
  | 'slow'
  /** Redis answers with another error, such as `ERR max number of clients reached`. */
  | 'refusing'

/** The first word of Redis' error replies. */
const PROBLEMS: Readonly<Record<string, RedisProblem>> = {
  WRONGPASS: 'wrong password',
  NOAUTH: 'wrong password',
  NOPERM: 'missing right',
  READONLY: 'read-only',
  MASTERDOWN: 'read-only',
  LOADING: 'loading',
  OOM: 'full',
}

/** Replies that take so long that the services' circuits open. */
export class SlowReplies extends Error {
  constructor(ms: number) {
    super(`Replies take ${Math.round(ms)} ms`)
  }
}

export function problemOf(error: Error): RedisProblem {
  if (error instanceof SlowReplies) return 'slow'
  const { message } = error
  // ioredis quotes the last answer of a Sentinel.
  const reply = /Last error: (.*)/.exec(message)?.[1] ?? message
  const code = /^([A-Z]{2,}) /.exec(reply)?.[1]
  return code === undefined ? 'unreachable' : (PROBLEMS[code] ?? 'refusing')
}

/** Whether the server answers that it does not accept writes: another server may be the primary. */
export function isReplica(error: Error): boolean {
  return /^(READONLY|MASTERDOWN) /.test(error.message)
}
