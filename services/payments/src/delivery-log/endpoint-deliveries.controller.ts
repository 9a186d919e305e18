import { CurrentCaller } from '@malipo/kit/http/access'
import { decodeCursor } from '@malipo/kit/http/page'
import { Database } from '@malipo/kit/postgres/database'
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { WebhookEndpointsService } from '../webhook-endpoints/webhook-endpoints.service.js'
import { listDeliveries } from './deliveries.list.js'
import { ListDeliveriesDocs, PingDocs, ReplayDocs } from './delivery-log.docs.js'
import { ListDeliveriesDto, ReplayNotificationsDto } from './requests.dto.js'
import { DeliveryLog } from './delivery-log.service.js'
import { deliveryView } from './delivery.view.js'

@ApiTags('webhook endpoints')
@Controller('api/webhook-endpoints')
export class EndpointDeliveriesController {
  constructor(
    private readonly log: DeliveryLog,
    private readonly endpoints: WebhookEndpointsService,
    @Inject(Database) private readonly database: Database,
  ) {}

  @Get(':id/deliveries')
  @NeedsScope('payments:read', 'webhooks:write')
  @ListDeliveriesDocs()
  async list(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Query() { state, limit, cursor }: ListDeliveriesDto,
  ) {
    const { id: endpointId } = await this.endpoints.get(caller, id)
    const after = cursor ? decodeCursor(cursor) : undefined
    const page = await listDeliveries(this.database, { endpointId, state, limit, after })
    return { data: page.data.map(deliveryView), nextCursor: page.nextCursor }
  }

  @Post(':id/ping')
  @HttpCode(202)
  @NeedsScope('webhooks:write')
  @PingDocs()
  async ping(@CurrentCaller() caller: Caller, @Param('id') id: string) {
    return this.log.ping(caller, id)
  }

  @Post(':id/replay')
  @HttpCode(202)
  @NeedsScope('webhooks:write')
  @ReplayDocs()
  async replay(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Body() body: ReplayNotificationsDto,
  ) {
    return this.log.replay(caller, id, body)
  }
}
