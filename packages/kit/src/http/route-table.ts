/** The methods of each path, for 405 responses: Fastify's router returns 404 if a path lacks the method. */
export class RouteTable {
  private readonly routes: { readonly pattern: RegExp; readonly methods: string[] }[] = []

  add(url: string, method: string | string[]) {
    this.routes.push({ pattern: patternOf(url), methods: [method].flat() })
  }

  /** The sorted methods of a path (given without its query); empty for an unknown path. */
  methodsOf(path: string): string[] {
    const matching = this.routes.filter(({ pattern }) => pattern.test(path))
    return [...new Set(matching.flatMap(({ methods }) => methods))].sort()
  }
}

/** Converts a route such as `/api/items/:id` to a pattern. A wildcard route (Swagger UI) matches no path. */
function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:[^/]+/g, '[^/]+')}$`)
}
