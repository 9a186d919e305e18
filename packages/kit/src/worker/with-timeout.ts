/**
 * Resolves to undefined if `promise` has not settled within `timeoutMs`. In a busy process the timer can
 * expire before a response that has already arrived is read. So the event loop polls for I/O once more before
 * this function gives up.
 */
export function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const { promise: result, resolve, reject } = Promise.withResolvers<T | undefined>()
  const timer = setTimeout(() => setImmediate(resolve, undefined), timeoutMs)
  promise.then(resolve, reject).finally(() => clearTimeout(timer))
  return result
}
