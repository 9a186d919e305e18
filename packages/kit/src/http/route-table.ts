/**
 * The methods of each path, for 405 responses: Fastify's router returns 404 for a known path with another
 * method.
 */
export class RouteTable {
  private readonly methods = new Map<string, Set<string>>()
  private patterns: { pattern: RegExp; methods: Set<string> }[] = []

  add(url: string, method: string | string[]) {
    let methods = this.methods.get(url)
    if (!methods) {
      methods = new Set()
      this.methods.set(url, methods)
      this.patterns.push({ pattern: patternOf(url), methods })
    }
    for (const each of [method].flat()) methods.add(each)
  }

  /** The methods of a path without query, sorted; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const found = new Set<string>()
    for (const { pattern, methods } of this.patterns) {
      if (pattern.test(path)) for (const method of methods) found.add(method)
    }
    return [...found].sort()
  }
}

/**
 * The pattern of a route such as `/api/items/:id`. The pattern of a wildcard route (the files of Swagger UI)
 * matches no path.
 */
function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:[^/]+/g, '[^/]+')}$`)
}
