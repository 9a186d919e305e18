import { bearerToken } from '@malipo/kit/http/access'
import type { Request } from '@malipo/kit/http/request'
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'

/** Injects the access token that a client presents to a public route, unverified; undefined without one. */
export const BearerToken = createParamDecorator((_: unknown, context: ExecutionContext) =>
  bearerToken(context.switchToHttp().getRequest<Request>().headers.authorization),
)
