import { decodeCursor, pageOf } from '@malipo/kit/http/page'
import { Database } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { EntityManager } from 'typeorm'
import { NeedsScope } from '../caller/caller.guard.js'
import { ListDocs } from './operator-actions.docs.js'
import {
  ListOperatorActionsDto,
  type OperatorActionDto,
  type OperatorActionPageDto,
} from './operator-actions.dto.js'

@ApiTags('operators')
@Controller('api/operator-actions')
export class OperatorActionsController {
  constructor(@Inject(Database) private readonly database: Database) {}

  @Get()
  @NeedsScope('payments:admin')
  @ListDocs()
  async list(@Query() query: ListOperatorActionsDto): Promise<OperatorActionPageDto> {
    const found = await this.database.find('operator_action_list', (orm) =>
      select(orm, query).getRawMany<OperatorActionDto>(),
    )
    return pageOf(found, query.limit)
  }
}

/** The columns in the form of `OperatorActionDto`. */
const COLUMNS = `
  id, ${isoTime('at')} AS at, operator, action, attempt_id AS attempt,
  'PAY-' || payment_id AS payment, message_id AS message, proposal_id AS proposal, reason, evidence,
  details`

/** Newest first: ids are UUIDv7. */
function select(
  orm: EntityManager,
  { operator, action, attempt, limit, cursor }: ListOperatorActionsDto,
) {
  const actions = orm.createQueryBuilder().select(COLUMNS).from('operator_actions', 'recorded')
  if (operator) actions.andWhere('operator = :operator', { operator })
  if (action) actions.andWhere('action = :action', { action })
  if (attempt) actions.andWhere('attempt_id = :attempt', { attempt })
  if (cursor) actions.andWhere('id < :after', { after: decodeCursor(cursor) })
  // A row beyond the limit shows that there is a next page.
  return actions.orderBy('id', 'DESC').limit(limit + 1)
}
