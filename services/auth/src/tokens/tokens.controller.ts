import { Public } from '@malipo/kit/http/access'
import { bearerToken } from '@malipo/kit/http/bearer'
import { Controller, Get, Req } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { TokenCheck } from './token-check.js'
import { ValidateDocs } from './tokens.docs.js'
import { tokenMissing } from './unauthorized.js'
import type { ValidationDto } from './validation.dto.js'

@ApiTags('tokens')
@Controller('api/auth')
export class TokensController {
  constructor(private readonly tokens: TokenCheck) {}

  /** Public: the token is what the caller asks about, not what admits the caller. */
  @Get('validate')
  @Public()
  @ValidateDocs()
  async validate(@Req() request: FastifyRequest): Promise<ValidationDto> {
    const token = bearerToken(request.headers.authorization)
    if (token === undefined) throw tokenMissing()
    const payload = await this.tokens.check(token)
    if (!payload) return { valid: false }
    request.actor = payload.sub
    return { valid: true, payload }
  }
}
