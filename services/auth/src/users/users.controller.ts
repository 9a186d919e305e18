import { Body, Controller, Get, Post, Req, UseGuards } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { originOf } from '../sessions/origin.js'
import { Caller, CallerGuard } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { RegisterDto, type UserDto } from './user.dto.js'
import { MeDocs, RegisterDocs } from './users.docs.js'
import { Users } from './users.service.js'

@ApiTags('users')
@Controller('api/auth')
export class UsersController {
  constructor(private readonly users: Users) {}

  @Post('register')
  @RegisterDocs()
  register(@Body() body: RegisterDto, @Req() request: FastifyRequest): Promise<UserDto> {
    return this.users.register(body, originOf(request))
  }

  @Get('me')
  @UseGuards(CallerGuard)
  @MeDocs()
  me(@Caller() caller: Claims): Promise<UserDto> {
    return this.users.byId(caller.sub)
  }
}
