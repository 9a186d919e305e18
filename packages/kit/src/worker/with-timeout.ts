/**
 * Resolves to undefined if `promise` has not settled within `timeoutMs`. In a busy process, a response may
 * have arrived without being read, so the event loop polls for I/O once more after the timer expires.
 */
export function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const { promise: result, resolve, reject } = Promise.withResolvers<T | undefined>()
  const timer = setTimeout(() => setImmediate(resolve, undefined), timeoutMs)
  promise.then(resolve, reject).finally(() => clearTimeout(timer))
  return result
}
