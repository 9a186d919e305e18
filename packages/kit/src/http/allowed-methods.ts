import type { FastifyInstance } from 'fastify'
import { METHODS } from './request.js'

/**
 * The methods of the route that a request target matches, for 405 responses: Fastify's router returns 404 if
 * the path lacks the method. Empty if no route matches. A wildcard route (Swagger UI) has no 405.
 */
export function allowedMethods(fastify: FastifyInstance, target: string): string[] {
  return [...METHODS].sort().filter((method) => {
    const route = fastify.findRoute({ method, url: target })
    return route && !('*' in route.params)
  })
}
