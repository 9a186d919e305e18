import { CurrentCaller } from '@malipo/kit/http/access'
import { parseTime } from '@malipo/kit/http/time'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { eventIdOf } from '../notifications/events.js'
import { paymentView } from '../payments/payment.view.js'
import { EventFeedDocs } from './event-feed.docs.js'
import { ALL_TYPES, EventFeedQueryDto } from './event-feed.dto.js'
import { readFeed } from './event-feed.js'
import type { StoredEvent } from './event-feed.store.js'
import { positionOf, startOf } from './position.js'

@ApiTags('notifications')
@Controller('api/events')
export class EventFeedController {
  constructor(@Inject(Database) private readonly database: Database) {}

  @Get()
  @NeedsScope('payments:read')
  @EventFeedDocs()
  async list(@CurrentCaller() caller: Caller, @Query() query: EventFeedQueryDto) {
    const { type, limit, cursor } = query
    const createdFrom = parseTime(query.createdFrom)
    const page = await readFeed(this.database, {
      owner: caller.merchant,
      position: cursor ? positionOf(cursor) : startOf(createdFrom, databaseNow()),
      type: type === ALL_TYPES ? undefined : type,
      createdFrom,
      limit,
    })
    const { nextCursor, hasMore } = page
    return { data: page.events.map(feedEventView), nextCursor, hasMore }
  }
}

/** An event as in its notification, with its id. */
function feedEventView(event: StoredEvent) {
  const { eventId, type, timestamp } = event
  return { id: eventIdOf(eventId), type, timestamp, data: paymentView(event) }
}
