import { Public } from '@malipo/kit/http/access'
import { Controller, Get, Header } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { SigningKeys } from './signing-keys.js'
import { JwksDocs } from './tokens.docs.js'
import type { JwksDto } from './tokens.dto.js'

@ApiTags('tokens')
@Controller()
export class TokensController {
  constructor(private readonly keys: SigningKeys) {}

  /** Clients can cache the set, because by default a new key signs only 300 s after its creation. */
  @Get('.well-known/jwks.json')
  @Public()
  @Header('cache-control', 'public, max-age=120')
  @JwksDocs()
  jwks(): JwksDto {
    return { keys: this.keys.publicKeys() }
  }
}
