import type { CanActivate, ExecutionContext } from '@nestjs/common'
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js'
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js'
import { isApi, type Request } from './request.js'
import { unknownParameters } from './validation.js'

/**
 * Rejects every query parameter on an API route without `@Query()`. The DTO of a route with `@Query()` rejects the
 * parameters that it does not declare. As the last guard of a route, it runs only for callers with access.
 */
export class KnownQuery implements CanActivate {
  /** @throws Problem 400 */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>()
    const names = Object.keys(request.query as object)
    if (names.length > 0 && isApi(request) && !hasQuery(context)) throw unknownParameters(names)
    return true
  }
}

function hasQuery(context: ExecutionContext): boolean {
  const parameters = Reflect.getMetadata(
    ROUTE_ARGS_METADATA,
    context.getClass(),
    context.getHandler().name,
  ) as object | undefined
  // The keys are `{type}:{position}`.
  return Object.keys(parameters ?? {}).some((key) => key.startsWith(`${RouteParamtypes.QUERY}:`))
}
