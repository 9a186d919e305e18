/** The error at the end of a chain of causes, which may have a cycle. */
export function rootCause(error: unknown): unknown {
  const seen = new Set<unknown>()
  let root = error
  while (root instanceof Error && root.cause !== undefined && !seen.has(root)) {
    seen.add(root)
    root = root.cause
  }
  return root
}
