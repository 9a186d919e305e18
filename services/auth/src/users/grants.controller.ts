import { CurrentCaller } from '@malipo/kit/http/access'
import { Problem } from '@malipo/kit/http/problem'
import { Body, Controller, Param, Put, Req } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import type { FastifyRequest } from 'fastify'
import { PROBLEMS } from '../problems.js'
import { originOf } from '../sessions/origin.js'
import type { Claims } from '../tokens/claims.js'
import { NeedsScope } from '../tokens/caller.guard.js'
import { Grants } from './grants.service.js'
import { ScopesDto, type UserScopesDto } from './user.dto.js'
import { ScopesDocs } from './users.docs.js'

/** For operators: what users may do. */
@ApiTags('operators')
@Controller('api/auth/users')
export class GrantsController {
  constructor(private readonly grants: Grants) {}

  @Put(':id/scopes')
  @NeedsScope('auth:admin')
  @ScopesDocs()
  set(
    @CurrentCaller() { sub }: Claims,
    @Param('id') id: string,
    @Body() { scopes }: ScopesDto,
    @Req() request: FastifyRequest,
  ): Promise<UserScopesDto> {
    if (!isUUID(id)) throw new Problem(PROBLEMS.userNotFound, 'No user has this id.')
    return this.grants.set(id, scopes, { id: sub, origin: originOf(request) })
  }
}
