import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiParam } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { KeysDto, NewKeyDto } from './api-keys.dto.js'

const { unauthenticated, wrongCredentials, loginTooOld, tooManyAttempts } = PROBLEMS
const RECENT_LOGIN = [unauthenticated, wrongCredentials, loginTooOld, tooManyAttempts] as const

const ApiKeyId = () =>
  ApiParam({ name: 'id', description: 'Key id', schema: { type: 'string', format: 'uuid' } })

const STEP_UP =
  'Needs `currentPassword`, or an access token of a login within the last 5 minutes. ' +
  'The response shows the secret once, so `Idempotency-Key` is refused (400). '

export const CreateDocs = () =>
  ApiRoute(
    {
      summary: 'Create an API key',
      description:
        'For a server of the merchant, which sends it to payments as `Authorization: Bearer`. ' +
        STEP_UP +
        'The key has only scopes that you have, and loses those that the merchant loses. ' +
        'A merchant has at most 20 usable keys.',
      problems: [
        ...BODY_PROBLEMS,
        ...RECENT_LOGIN,
        PROBLEMS.insufficientScope,
        PROBLEMS.tooManyKeys,
        PROBLEMS.merchantClosed,
      ],
    },
    ApiCreatedResponse({ type: NewKeyDto }),
  )

export const ListDocs = () =>
  ApiRoute(
    { summary: 'List your API keys', problems: [unauthenticated] },
    ApiOkResponse({ type: KeysDto }),
  )

export const RotateDocs = () =>
  ApiRoute(
    {
      summary: 'Rotate an API key',
      description:
        'Creates a key with the same name and scopes. The replaced key stays valid for `overlapSeconds`. ' +
        STEP_UP +
        'During an overlap, a rotation of either key revokes the newer one, replaces it, and leaves the older one ' +
        'its time. So rotate again if the response was lost.',
      problems: [
        ...BODY_PROBLEMS,
        ...RECENT_LOGIN,
        PROBLEMS.keyNotFound,
        PROBLEMS.keyEnded,
        PROBLEMS.merchantClosed,
      ],
    },
    ApiKeyId(),
    ApiCreatedResponse({ type: NewKeyDto }),
  )

export const RevokeDocs = () =>
  ApiRoute(
    {
      summary: 'Revoke an API key',
      description: 'After the response, every replica of every service rejects the key.',
      problems: [unauthenticated, PROBLEMS.keyNotFound, PROBLEMS.revocationPending],
    },
    ApiKeyId(),
    ApiNoContentResponse({ description: 'Key revoked on all replicas' }),
  )
