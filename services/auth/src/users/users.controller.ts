import { CurrentCaller, NeedsToken, Public } from '@malipo/kit/http/access'
import { Body, Controller, Get, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { type Visit, Visiting } from '../throttle/visit.js'
import { CallerGuard } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { RegisterDto, type UserDto } from './user.dto.js'
import { MeDocs, RegisterDocs } from './users.docs.js'
import { Users } from './users.service.js'

@ApiTags('users')
@Controller('api/auth')
export class UsersController {
  constructor(private readonly users: Users) {}

  @Post('register')
  @Public()
  @RegisterDocs()
  register(@Body() body: RegisterDto, @Visiting() visit: Visit): Promise<UserDto> {
    return this.users.register(body, visit)
  }

  @Get('me')
  @NeedsToken(CallerGuard)
  @MeDocs()
  me(@CurrentCaller() caller: Claims): Promise<UserDto> {
    return this.users.byId(caller.sub)
  }
}
