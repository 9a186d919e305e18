import { Database } from '@malipo/kit/postgres/database'
import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { decodeCursor } from '@malipo/kit/http/page'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { parseTime } from '@malipo/kit/http/time'
import { applyDecorators, Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { NeedsScope } from '../tokens/caller.guard.js'
import { AuditPageDto, AuditQueryDto } from './audit.dto.js'
import { listEvents } from './audit.list.js'

const ListDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'The audit trail',
      description: 'What happened to accounts and sessions, the last event first.',
    }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: AuditPageDto }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      PROBLEMS.tokenMissing,
      PROBLEMS.tokenNotValid,
      PROBLEMS.insufficientScope,
      HTTP_PROBLEMS.unavailable,
    ),
  )

/** For operators: what happened to accounts and sessions. */
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
