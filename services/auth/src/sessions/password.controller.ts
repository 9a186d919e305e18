import { CurrentCaller, NeedsToken } from '@malipo/kit/http/access'
import { Body, Controller, HttpCode, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { type Visit, Visiting } from '../throttle/visit.js'
import { CallerGuard } from '../tokens/caller.guard.js'
import type { Validated } from '../tokens/token-check.js'
import { PasswordChange } from './password-change.service.js'
import { PasswordDocs } from './sessions.docs.js'
import { PasswordDto } from './sessions.dto.js'

@ApiTags('sessions')
@Controller('api/auth')
export class PasswordController {
  constructor(private readonly passwords: PasswordChange) {}

  @Post('password')
  @HttpCode(204)
  @NeedsToken(CallerGuard)
  @PasswordDocs()
  async change(
    @CurrentCaller() caller: Validated,
    @Body() { currentPassword: current, newPassword: next }: PasswordDto,
    @Visiting() visit: Visit,
  ): Promise<void> {
    await this.passwords.change(caller, visit, { current, next })
  }
}
