import { bearerToken, Public } from '@malipo/kit/http/access'
import { apiKeyMode } from '@malipo/kit/http/api-key'
import { Controller, Get, Req } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { KeyCheck } from '../api-keys/key-check.js'
import { tokenMissing } from '../problems.js'
import { TokensService } from '../tokens/tokens.service.js'
import { ValidateDocs } from './validation.docs.js'
import type { ValidationDto } from './validation.dto.js'

@ApiTags('tokens')
@Controller('api/auth')
export class ValidationController {
  constructor(
    private readonly tokens: TokensService,
    private readonly keys: KeyCheck,
  ) {}

  /** Public, because the token is the input of the request and does not authenticate the caller. */
  @Get('validate')
  @Public()
  @ValidateDocs()
  async validate(@Req() request: FastifyRequest): Promise<ValidationDto> {
    const token = bearerToken(request.headers.authorization)
    if (token === undefined) throw tokenMissing()
    const mode = apiKeyMode(token)
    const payload = mode ? await this.keys.validate(token, mode) : await this.tokens.validate(token)
    if (!payload) return { valid: false }
    request.actor = payload.sub
    return { valid: true, payload }
  }
}
