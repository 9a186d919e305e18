import { RouteConfig } from '@nestjs/platform-fastify'
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js'
import type { FastifyContextConfig } from 'fastify'

/** Adds to the config of a route, which Fastify's hooks read. Nest's `RouteConfig` would replace an earlier one. */
export function routeConfig(own: FastifyContextConfig): MethodDecorator {
  return (target, name, descriptor) => {
    const earlier = Reflect.getMetadata(
      FASTIFY_ROUTE_CONFIG_METADATA,
      descriptor.value as object,
    ) as FastifyContextConfig | undefined
    return RouteConfig({ ...earlier, ...own })(target, name, descriptor)
  }
}
