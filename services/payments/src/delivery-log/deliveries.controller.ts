import { CurrentCaller } from '@malipo/kit/http/access'
import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { GetDeliveryDocs, ResendDocs } from './delivery-log.docs.js'
import { DeliveryLog } from './delivery-log.service.js'
import { deliveryView, notificationView } from './delivery.view.js'

@ApiTags('notifications')
@Controller('api/deliveries')
export class DeliveriesController {
  constructor(private readonly log: DeliveryLog) {}

  @Get(':id')
  @NeedsScope('payments:read', 'webhooks:write')
  @GetDeliveryDocs()
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string) {
    const { delivery, notification, log } = await this.log.get(caller, id)
    return { ...deliveryView(delivery), notification: notificationView(notification), log }
  }

  @Post(':id/resend')
  @HttpCode(202)
  @NeedsScope('webhooks:write')
  @ResendDocs()
  async resend(@CurrentCaller() caller: Caller, @Param('id') id: string) {
    return deliveryView(await this.log.resend(caller, id))
  }
}
