import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import { ApiCreatedResponse, ApiOkResponse, ApiParam } from '@nestjs/swagger'
import { StrengthHeader } from '../passwords/passwords.docs.js'
import { PROBLEMS } from '../problems.js'
import { UserDto, UserScopesDto } from './users.dto.js'

const { phoneTaken, emailTaken, unauthenticated, insufficientScope, userNotFound } = PROBLEMS

export const RegisterDocs = () =>
  ApiRoute(
    {
      summary: 'Register an account',
      description:
        'In `sandbox`, the account can create payments, settle them and receive notifications. In `live`, it can read ' +
        'payments, and an operator grants `payments:write` and `webhooks:write`.',
      problems: [...BODY_PROBLEMS, phoneTaken, emailTaken, PROBLEMS.tooManyAttempts],
    },
    ApiCreatedResponse({ type: UserDto, headers: StrengthHeader }),
  )

export const MeDocs = () =>
  ApiRoute(
    { summary: 'Get your account', problems: [unauthenticated] },
    ApiOkResponse({ type: UserDto }),
  )

export const ScopesDocs = () =>
  ApiRoute(
    {
      summary: 'Replace a user’s scopes',
      description:
        'In `live`, `payments:write` approves a merchant, and `webhooks:write` lets it receive notifications. ' +
        'Removing a scope revokes the user’s sessions. Operator scopes (`payments:admin`, `auth:admin`) can be ' +
        'retained and removed; only the operator command grants them. Operators can’t change their own scopes. ' +
        'Needs `auth:admin`.',
      problems: [
        ...BODY_PROBLEMS,
        unauthenticated,
        insufficientScope,
        PROBLEMS.ownScopes,
        PROBLEMS.operatorScopes,
        userNotFound,
        PROBLEMS.merchantClosed,
        PROBLEMS.revocationPending,
      ],
    },
    ApiParam({ name: 'id', description: 'User id', schema: { type: 'string', format: 'uuid' } }),
    ApiOkResponse({ type: UserScopesDto }),
  )
