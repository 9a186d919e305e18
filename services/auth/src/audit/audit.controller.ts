import { decodeCursor, pageOf } from '@malipo/kit/http/page'
import { parseTime } from '@malipo/kit/http/time'
import { Database } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { EntityManager } from 'typeorm'
import { NeedsScope } from '../tokens/caller.guard.js'
import { AuditEvent } from './audit-event.entity.js'
import { ListDocs } from './audit.docs.js'
import { type AuditEventDto, type AuditPageDto, AuditQueryDto } from './audit.dto.js'

@ApiTags('operators')
@Controller('api/auth/audit')
export class AuditController {
  constructor(@Inject(Database) private readonly database: Database) {}

  @Get()
  @NeedsScope('auth:admin')
  @ListDocs()
  async list(@Query() query: AuditQueryDto): Promise<AuditPageDto> {
    const found = await this.database.find('audit_list', (orm) =>
      select(orm, query).getRawMany<AuditEventDto>(),
    )
    return pageOf(found, query.limit)
  }
}

/** The columns in the form of `AuditEventDto`. */
const COLUMNS = `
  event.id AS id, ${isoTime('event.at')} AS at, event.kind AS kind, event.userId AS "userId",
  event.actorId AS "actorId", event.sessionId AS "sessionId", host(event.address) AS address,
  event.userAgent AS "userAgent", event.detail AS detail`

/** Selects events, newest first. Ids are UUIDv7, so one index supports order, cursor and time range. */
function select(orm: EntityManager, { kind, userId, limit, cursor, ...range }: AuditQueryDto) {
  const from = parseTime(range.from)
  const to = parseTime(range.to)
  const events = orm.getRepository(AuditEvent).createQueryBuilder('event').select(COLUMNS)
  if (kind) events.andWhere('event.kind = :kind', { kind })
  if (userId) events.andWhere('event.userId = :userId', { userId })
  if (from) events.andWhere('event.id >= :from', { from: minUuidAt(from) })
  if (to) events.andWhere('event.id < :to', { to: minUuidAt(to) })
  if (cursor) events.andWhere('event.id < :after', { after: decodeCursor(cursor) })
  // A row beyond the limit shows that there is a next page.
  return events.orderBy('event.id', 'DESC').limit(limit + 1)
}
