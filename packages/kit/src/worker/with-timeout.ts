/**
 * The value if it comes in time; a failure in time is thrown. A busy process finds the timer due before it has read what arrived
 * meanwhile, so the socket is looked at once more before the other side is called slow.
 */
export function withTimeout<T>(value: Promise<T>, limitMs: number): Promise<T | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>()
  const timer = setTimeout(() => setImmediate(resolve, undefined), limitMs)
  value.then(resolve, reject).finally(() => clearTimeout(timer))
  return promise
}
