import { CurrentCaller } from '@malipo/kit/http/access'
import { Controller, Get, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { accountsForPhone, accountsOf } from '../providers/account-choice.js'
import { ProviderAccounts } from '../providers/provider-accounts.js'
import { methodView } from './method.view.js'
import { MethodsDocs } from './methods.docs.js'
import { MethodsQueryDto } from './methods.dto.js'

@ApiTags('payments')
@Controller('api/payments/methods')
export class MethodsController {
  constructor(private readonly accounts: ProviderAccounts) {}

  @Get()
  @NeedsScope('payments:read', 'payments:write')
  @MethodsDocs()
  list(@CurrentCaller() caller: Caller, @Query() { phone }: MethodsQueryDto) {
    const own = accountsOf(this.accounts.file, caller.merchant)
    const found = phone === undefined ? own : accountsForPhone(own, phone)
    return { data: found.map(methodView) }
  }
}
