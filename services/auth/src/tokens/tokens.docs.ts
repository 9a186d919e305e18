import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiOkResponse } from '@nestjs/swagger'
import { JwksDto } from './tokens.dto.js'

export const JwksDocs = () =>
  ApiRoute(
    {
      summary: 'List the public keys that verify access tokens',
      description:
        'RFC 7517. Empty while tokens are signed with a secret. A key is listed from some minutes before ' +
        'it first signs until the last token that it signed has expired. The keys do not show whether a session was revoked.',
      ignoresQuery: true,
    },
    ApiOkResponse({ type: JwksDto }),
  )
