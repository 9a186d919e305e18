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
import { ListNotificationsDto } from './requests.dto.js'
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
    const { type, payment, createdFrom, createdTo, limit, cursor } = query
    const filter = {
      ownerId: merchant,
      type,
      paymentId: payment && idOf(payment),
      createdFrom: parseTime(createdFrom),
      createdTo: parseTime(createdTo),
      limit,
    }
    const after = cursor ? decodeCursor(cursor) : undefined
    const page = await listNotifications(this.database, filter, after)
    return { data: page.data.map(notificationView), nextCursor: page.nextCursor }
  }
}
