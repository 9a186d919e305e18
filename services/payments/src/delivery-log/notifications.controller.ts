import { CurrentCaller } from '@malipo/kit/http/access'
import { decodeCursor } from '@malipo/kit/http/page'
import { parseTime } from '@malipo/kit/http/time'
import { Database } from '@malipo/kit/postgres/database'
import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { idOf } from '../payments/payment.view.js'
import { ListNotificationsDocs } from './delivery-log.docs.js'
import { ListNotificationsDto } from './delivery-log.dto.js'
import { notificationView } from './delivery.view.js'
import { listNotifications } from './notifications.list.js'

@ApiTags('notifications')
@Controller('api/notifications')
export class NotificationsController {
  constructor(@Inject(Database) private readonly database: Database) {}

  @Get()
  @NeedsScope('payments:read', 'webhooks:write')
  @ListNotificationsDocs()
  async list(@CurrentCaller() { merchant }: Caller, @Query() query: ListNotificationsDto) {
    const page = await listNotifications(this.database, {
      ownerId: merchant,
      type: query.type,
      paymentId: query.payment && idOf(query.payment),
      createdFrom: parseTime(query.createdFrom),
      createdTo: parseTime(query.createdTo),
      limit: query.limit,
      after: query.cursor ? decodeCursor(query.cursor) : undefined,
    })
    return { data: page.data.map(notificationView), nextCursor: page.nextCursor }
  }
}
