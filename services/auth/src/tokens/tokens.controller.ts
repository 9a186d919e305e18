import { bearerToken, Public } from '@malipo/kit/http/access'
import { Controller, Get, Header, Req } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { tokenMissing } from '../problems.js'
import { SigningKeys } from './signing-keys.js'
import { JwksDocs, ValidateDocs } from './tokens.docs.js'
import type { JwksDto, ValidationDto } from './tokens.dto.js'
import { TokensService } from './tokens.service.js'

@ApiTags('tokens')
@Controller()
export class TokensController {
  constructor(
    private readonly tokens: TokensService,
    private readonly keys: SigningKeys,
  ) {}

  /** Public, because the token is the input of the request and does not authenticate the caller. */
  @Get('api/auth/validate')
  @Public()
  @ValidateDocs()
  async validate(@Req() request: FastifyRequest): Promise<ValidationDto> {
    const token = bearerToken(request.headers.authorization)
    if (token === undefined) throw tokenMissing()
    const payload = await this.tokens.validate(token)
    if (!payload) return { valid: false }
    request.actor = payload.sub
    return { valid: true, payload }
  }

  /** Clients can cache the set, because by default a new key signs only 300 s after its creation. */
  @Get('.well-known/jwks.json')
  @Public()
  @Header('cache-control', 'public, max-age=120')
  @JwksDocs()
  jwks(): JwksDto {
    return { keys: this.keys.publicKeys() }
  }
}
