import { Body, Controller, HttpCode, Post, Req, UseGuards } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { Caller, CallerGuard } from '../tokens/caller.guard.js'
import type { Validated } from '../tokens/token-check.js'
import { originOf } from './origin.js'
import { PasswordChange } from './password-change.service.js'
import { PasswordDocs } from './sessions.docs.js'
import { PasswordDto } from './sessions.dto.js'

@ApiTags('sessions')
@Controller('api/auth')
export class PasswordController {
  constructor(private readonly passwords: PasswordChange) {}

  @Post('password')
  @HttpCode(204)
  @UseGuards(CallerGuard)
  @PasswordDocs()
  async change(
    @Caller() caller: Validated,
    @Body() { currentPassword: current, newPassword: next }: PasswordDto,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    await this.passwords.change(caller, originOf(request), { current, next })
  }
}
