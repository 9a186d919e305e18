import { CurrentCaller, NeedsToken, Public } from '@malipo/kit/http/access'
import { Problem } from '@malipo/kit/http/problem'
import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import { type Visit, Visiting } from '../throttle/visit.js'
import { PROBLEMS } from '../problems.js'
import { CallerGuard, SignedGuard } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { tokenNotValid } from '../tokens/unauthorized.js'
import { Endings } from './endings.service.js'
import { Refresh } from './refresh.service.js'
import { EndDocs, ListDocs, LoginDocs, LogoutDocs, RefreshDocs } from './sessions.docs.js'
import { LoginDto, RefreshDto, type SessionsDto, type TokensDto } from './sessions.dto.js'
import { Sessions } from './sessions.service.js'

@ApiTags('sessions')
@Controller('api/auth')
export class SessionsController {
  constructor(
    private readonly sessions: Sessions,
    private readonly refreshing: Refresh,
    private readonly endings: Endings,
  ) {}

  @Post('login')
  @Public()
  @HttpCode(200)
  @LoginDocs()
  login(@Body() { phone, password }: LoginDto, @Visiting() visit: Visit): Promise<TokensDto> {
    return this.sessions.login({ phone, visit }, password)
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @RefreshDocs()
  refresh(@Body() body: RefreshDto, @Visiting() visit: Visit): Promise<TokensDto> {
    return this.refreshing.refresh(body.refresh_token, visit)
  }

  @Post('logout')
  @HttpCode(204)
  @NeedsToken(SignedGuard)
  @LogoutDocs()
  async logout(@CurrentCaller() { sid, sub }: Claims): Promise<void> {
    if (!(await this.endings.end({ sid, sub, cause: 'logout' }))) throw tokenNotValid()
  }

  @Get('sessions')
  @NeedsToken(CallerGuard)
  @ListDocs()
  async list(@CurrentCaller() { sid, sub }: Claims): Promise<SessionsDto> {
    const sessions = await this.sessions.of(sub)
    return { data: sessions.map((session) => ({ ...session, current: session.id === sid })) }
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  @NeedsToken(CallerGuard)
  @EndDocs()
  async delete(@CurrentCaller() { sub }: Claims, @Param('id') id: string): Promise<void> {
    if (isUUID(id) && (await this.endings.end({ sid: id, sub, cause: 'revoked' }))) return
    throw new Problem(PROBLEMS.sessionNotFound, 'You have no session with this id.')
  }
}
