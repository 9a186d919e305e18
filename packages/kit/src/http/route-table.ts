/** The methods of each path, for 405 responses: Fastify's router returns 404 for another method of a path. */
export class RouteTable {
  private readonly routes: { readonly pattern: RegExp; readonly methods: string[] }[] = []

  add(url: string, method: string | string[]) {
    this.routes.push({ pattern: patternOf(url), methods: [method].flat() })
  }

  /** The methods of a path without query, sorted; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const matching = this.routes.filter(({ pattern }) => pattern.test(path))
    return [...new Set(matching.flatMap(({ methods }) => methods))].sort()
  }
}

/** The pattern of a route such as `/api/items/:id`. For a wildcard route (Swagger UI), it matches no path. */
function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:[^/]+/g, '[^/]+')}$`)
}
