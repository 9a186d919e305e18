import { CurrentCaller, NeedsToken, Public } from '@malipo/kit/http/access'
import { Problem } from '@malipo/kit/http/problem'
import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import { Client, type ClientContext } from '../client-context/client-context.js'
import { PROBLEMS, tokenNotValid } from '../problems.js'
import { BearerToken } from '../tokens/bearer-token.js'
import { CallerGuard, SignedGuard } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { TokensService } from '../tokens/tokens.service.js'
import { LoginService } from './login.service.js'
import { RefreshService } from './refresh.service.js'
import { DeleteDocs, ListDocs, LoginDocs, LogoutDocs, RefreshDocs } from './sessions.docs.js'
import { LoginDto, RefreshDto, type SessionsDto, type TokensDto } from './sessions.dto.js'
import { SessionsService } from './sessions.service.js'

@ApiTags('sessions')
@Controller('api/auth')
export class SessionsController {
  constructor(
    private readonly logins: LoginService,
    private readonly refreshes: RefreshService,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
  ) {}

  @Post('login')
  @Public()
  @HttpCode(200)
  @LoginDocs()
  login(
    @Body() { phone, password, device_token: deviceToken }: LoginDto,
    @Client() client: ClientContext,
    @BearerToken() token: string | undefined,
  ): Promise<TokensDto> {
    const sid = token && this.tokens.verify(token)?.sid
    return this.logins.login(
      { phone, client, deviceToken: deviceToken ?? undefined, sid },
      password,
    )
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @RefreshDocs()
  refresh(@Body() body: RefreshDto, @Client() client: ClientContext): Promise<TokensDto> {
    return this.refreshes.refresh(body.refresh_token, client)
  }

  @Post('logout')
  @HttpCode(204)
  @NeedsToken(SignedGuard)
  @LogoutDocs()
  async logout(@CurrentCaller() { sid, sub }: Claims): Promise<void> {
    if (!(await this.sessions.revoke({ sid, sub, cause: 'logout' }))) throw tokenNotValid()
  }

  @Get('sessions')
  @NeedsToken(CallerGuard)
  @ListDocs()
  async list(@CurrentCaller() { sid, sub }: Claims): Promise<SessionsDto> {
    const sessions = await this.sessions.list(sub)
    return { data: sessions.map((session) => ({ ...session, current: session.id === sid })) }
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  @NeedsToken(CallerGuard)
  @DeleteDocs()
  async delete(@CurrentCaller() { sub }: Claims, @Param('id') id: string): Promise<void> {
    if (isUUID(id) && (await this.sessions.revoke({ sid: id, sub, cause: 'revoked' }))) return
    throw new Problem(PROBLEMS.sessionNotFound, 'You have no session with this id.')
  }
}
