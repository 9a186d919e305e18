import { CurrentCaller, NeedsToken } from '@malipo/kit/http/access'
import { AnswersSecretOnce } from '@malipo/kit/http/one-time-secret'
import { Problem } from '@malipo/kit/http/problem'
import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import { Client, type ClientContext } from '../client-context/client-context.js'
import { PROBLEMS } from '../problems.js'
import { CallerGuard } from '../tokens/caller.guard.js'
import type { ValidatedClaims } from '../tokens/tokens.service.js'
import { CreateDocs, ListDocs, RevokeDocs, RotateDocs } from './api-keys.docs.js'
import { CreateKeyDto, type KeysDto, type NewKeyDto, RotateKeyDto } from './api-keys.dto.js'
import { ApiKeysService } from './api-keys.service.js'

@ApiTags('keys')
@Controller('api/auth/keys')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeysService) {}

  @Post()
  @AnswersSecretOnce()
  @NeedsToken(CallerGuard)
  @CreateDocs()
  create(
    @CurrentCaller() caller: ValidatedClaims,
    @Body() body: CreateKeyDto,
    @Client() client: ClientContext,
  ): Promise<NewKeyDto> {
    return this.keys.create(caller, body, client)
  }

  @Get()
  @NeedsToken(CallerGuard)
  @ListDocs()
  async list(@CurrentCaller() caller: ValidatedClaims): Promise<KeysDto> {
    return { data: await this.keys.list(caller) }
  }

  @Post(':id/rotate')
  @AnswersSecretOnce()
  @NeedsToken(CallerGuard)
  @RotateDocs()
  rotate(
    @CurrentCaller() caller: ValidatedClaims,
    @Param('id') id: string,
    @Body() body: RotateKeyDto,
    @Client() client: ClientContext,
  ): Promise<NewKeyDto> {
    return this.keys.rotate(caller, keyId(id), body, client)
  }

  @Delete(':id')
  @HttpCode(204)
  @NeedsToken(CallerGuard)
  @RevokeDocs()
  async revoke(@CurrentCaller() caller: ValidatedClaims, @Param('id') id: string): Promise<void> {
    await this.keys.revoke(caller, keyId(id))
  }
}

function keyId(id: string): string {
  if (isUUID(id)) return id
  throw new Problem(PROBLEMS.keyNotFound, 'You have no API key with this id.')
}
