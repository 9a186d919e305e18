import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  UseGuards,
} from '@nestjs/common'
import type { Request } from './request.js'
import { validationProblem } from './validation.js'

/**
 * Declares a route whose response contains a secret that is shown once. It refuses `Idempotency-Key` (400), because a
 * replay would need the secret, which is not stored. Place it above the access of the route, which is checked first.
 */
export function AnswersSecretOnce(): MethodDecorator {
  return applyDecorators(UseGuards(NoIdempotencyKey))
}

@Injectable()
class NoIdempotencyKey implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<Request>()
    if (headers['idempotency-key'] === undefined) return true
    const message = 'is not supported here, because the response shows a secret once'
    throw validationProblem([{ field: 'Idempotency-Key', message }])
  }
}
