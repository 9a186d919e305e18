/**
 * Which methods each path has. Fastify's router answers 404 to a known path with another method;
 * the contract says 405, so the routes are noted as they are registered.
 */
export class RouteTable {
  private readonly methods = new Map<string, Set<string>>()
  private patterns: { pattern: RegExp; methods: Set<string> }[] = []

  add(url: string, method: string | string[]) {
    let known = this.methods.get(url)
    if (!known) {
      known = new Set()
      this.methods.set(url, known)
      this.patterns.push({ pattern: patternOf(url), methods: known })
    }
    for (const one of [method].flat()) known.add(one)
  }

  /** The methods under which `path` (no query) is served, sorted; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const found = new Set<string>()
    for (const { pattern, methods } of this.patterns) {
      if (pattern.test(path)) for (const method of methods) found.add(method)
    }
    return [...found].sort()
  }
}

/** `/api/payments/:reference` as a pattern; a wildcard route (the Swagger UI's files) is none. */
function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:[^/]+/g, '[^/]+')}$`)
}
