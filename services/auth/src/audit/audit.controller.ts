import { decodeCursor } from '@malipo/kit/http/page'
import { parseTime } from '@malipo/kit/http/time'
import { Database } from '@malipo/kit/postgres/database'
import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { NeedsScope } from '../tokens/caller.guard.js'
import { ListDocs } from './audit.docs.js'
import { type AuditPageDto, AuditQueryDto } from './audit.dto.js'
import { listEvents } from './audit.list.js'

@ApiTags('operators')
@Controller('api/auth/audit')
export class AuditController {
  constructor(@Inject(Database) private readonly database: Database) {}

  @Get()
  @NeedsScope('auth:admin')
  @ListDocs()
  list(@Query() { from, to, cursor, ...filter }: AuditQueryDto): Promise<AuditPageDto> {
    return listEvents(this.database, {
      ...filter,
      from: parseTime(from),
      to: parseTime(to),
      after: cursor === undefined ? undefined : decodeCursor(cursor),
    })
  }
}
