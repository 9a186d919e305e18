import { Problem } from '@malipo/kit/http/problem'
import type { Request } from '@malipo/kit/http/request'
import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { PROBLEMS } from '../problems.js'
import type { Scope } from '../users/scopes.js'
import { CallerGuard } from './caller.guard.js'

const NEEDED = Symbol('the scope that a route needs')

/** A route for callers whose token has this scope. */
export function NeedsScope(scope: Scope) {
  return applyDecorators(SetMetadata(NEEDED, scope), UseGuards(CallerGuard, ScopeGuard))
}

/** Lets a caller in who may do what the route needs; a route that names nothing, nobody. */
@Injectable()
export class ScopeGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const needed = this.reflector.get<Scope | undefined>(NEEDED, context.getHandler())
    const { caller } = context.switchToHttp().getRequest<Request>()
    if (needed && caller?.scope.split(' ').includes(needed)) return true
    throw new Problem(PROBLEMS.insufficientScope, `This needs ${needed}.`, {
      headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${needed}"` },
    })
  }
}
