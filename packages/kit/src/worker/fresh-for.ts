/**
 * Whether less than a time has passed since now. The monotonic clock may stand still while a machine is suspended, and
 * the other one may be set back.
 */
export function freshFor(ms: number): () => boolean {
  const monotonic = performance.now()
  const wall = Date.now()
  return () => performance.now() - monotonic < ms && Date.now() - wall < ms
}
