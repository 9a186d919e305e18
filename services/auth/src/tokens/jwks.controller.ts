import { Public } from '@malipo/kit/http/access'
import { ApiTracing } from '@malipo/kit/http/openapi'
import { Controller, Get, Header } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { JwksDto } from './jwks.dto.js'
import { Keys } from './keys.js'

/** Shorter than the minutes that pass between a key's making and its first signature. */
const CACHED_SECONDS = 120

@ApiTags('tokens')
@Controller('.well-known')
export class JwksController {
  constructor(private readonly keys: Keys) {}

  @Get('jwks.json')
  @Public()
  @Header('cache-control', `public, max-age=${CACHED_SECONDS}`)
  @ApiOperation({
    summary: 'The public keys that tokens are verified with',
    description:
      'RFC 7517. Empty while tokens are signed with a secret. A key is here some minutes before it signs, ' +
      'and for as long as a token that it signed may live. Only auth knows whether a session has ended.',
  })
  @ApiTracing()
  @ApiOkResponse({ type: JwksDto })
  jwks(): JwksDto {
    return { keys: this.keys.toPublish() }
  }
}
