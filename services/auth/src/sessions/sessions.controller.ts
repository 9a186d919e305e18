import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { LoginDto, type TokensDto } from './login.dto.js'
import { LoginDocs } from './sessions.docs.js'
import { Sessions } from './sessions.service.js'

@ApiTags('sessions')
@Controller('api/auth')
export class SessionsController {
  constructor(private readonly sessions: Sessions) {}

  @Post('login')
  @HttpCode(200)
  @LoginDocs()
  login(@Body() { phone, password }: LoginDto, @Req() request: FastifyRequest): Promise<TokensDto> {
    return this.sessions.login({ phone, address: request.ip }, password)
  }
}
