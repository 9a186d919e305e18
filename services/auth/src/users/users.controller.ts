import { CurrentCaller, NeedsToken, Public } from '@malipo/kit/http/access'
import { Body, Controller, Get, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { Client, type ClientContext } from '../client-context/client-context.js'
import { CallerGuard } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { RegisterDto, type UserDto } from './users.dto.js'
import { MeDocs, RegisterDocs } from './users.docs.js'
import { UsersService } from './users.service.js'

@ApiTags('users')
@Controller('api/auth')
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Post('register')
  @Public()
  @RegisterDocs()
  register(@Body() body: RegisterDto, @Client() client: ClientContext): Promise<UserDto> {
    return this.users.register(body, client)
  }

  @Get('me')
  @NeedsToken(CallerGuard)
  @MeDocs()
  me(@CurrentCaller() caller: Claims): Promise<UserDto> {
    return this.users.byId(caller.sub)
  }
}
