import { CurrentCaller } from '@malipo/kit/http/access'
import { Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import { NeedsScope } from '../tokens/caller.guard.js'
import type { Claims } from '../tokens/claims.js'
import { CloseDocs } from './merchants.docs.js'
import { MerchantsService, noMerchant } from './merchants.service.js'

@ApiTags('operators')
@Controller('api/auth/merchants')
export class MerchantsController {
  constructor(private readonly merchants: MerchantsService) {}

  @Post(':id/close')
  @HttpCode(204)
  @NeedsScope('auth:admin')
  @CloseDocs()
  async close(@CurrentCaller() { sub }: Claims, @Param('id') id: string): Promise<void> {
    if (!isUUID(id)) throw noMerchant()
    await this.merchants.close(id, sub)
  }
}
