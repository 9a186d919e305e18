import { CurrentCaller } from '@malipo/kit/http/access'
import { Problem } from '@malipo/kit/http/problem'
import { Body, Controller, Param, Put } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import { Client, type ClientContext } from '../client-context/client-context.js'
import { PROBLEMS } from '../problems.js'
import { NeedsScope } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { GrantsService } from './grants.service.js'
import { ScopesDocs } from './users.docs.js'
import { ScopesDto, type UserScopesDto } from './users.dto.js'

@ApiTags('operators')
@Controller('api/auth/users')
export class GrantsController {
  constructor(private readonly grants: GrantsService) {}

  @Put(':id/scopes')
  @NeedsScope('auth:admin')
  @ScopesDocs()
  set(
    @CurrentCaller() { sub }: Claims,
    @Param('id') id: string,
    @Body() { scopes }: ScopesDto,
    @Client() { origin }: ClientContext,
  ): Promise<UserScopesDto> {
    if (!isUUID(id)) throw new Problem(PROBLEMS.userNotFound, 'No user has this id.')
    return this.grants.set(id, scopes, { id: sub, origin })
  }
}
