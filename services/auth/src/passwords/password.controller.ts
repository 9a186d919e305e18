import { CurrentCaller, NeedsToken } from '@malipo/kit/http/access'
import { Body, Controller, HttpCode, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { Client, type ClientContext } from '../client-context/client-context.js'
import { CallerGuard } from '../tokens/caller.guard.js'
import type { ValidatedClaims } from '../tokens/tokens.service.js'
import { PasswordChangeService } from './password-change.service.js'
import { ChangeDocs } from './passwords.docs.js'
import { PasswordDto } from './passwords.dto.js'

@ApiTags('sessions')
@Controller('api/auth')
export class PasswordController {
  constructor(private readonly passwords: PasswordChangeService) {}

  @Post('password')
  @HttpCode(204)
  @NeedsToken(CallerGuard)
  @ChangeDocs()
  change(
    @CurrentCaller() caller: ValidatedClaims,
    @Body() body: PasswordDto,
    @Client() client: ClientContext,
  ): Promise<void> {
    return this.passwords.change(caller, client, body)
  }
}
