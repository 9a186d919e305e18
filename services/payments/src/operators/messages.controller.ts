import { CurrentCaller } from '@malipo/kit/http/access'
import { decodeCursor } from '@malipo/kit/http/page'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { isUUID } from 'class-validator'
import { NeedsScope } from '../caller/caller.guard.js'
import type { Caller } from '../caller/scopes.js'
import { noMessage } from '../problems.js'
import { messageContentView, messageView } from './message.view.js'
import { GetDocs, ListDocs, ReplayDocs } from './messages.docs.js'
import { ListMessagesDto } from './messages.dto.js'
import { listMessages } from './messages.list.js'
import { readByOperator } from './messages.store.js'
import { Replays } from './replays.service.js'

@ApiTags('operators')
@Controller('api/provider-messages')
export class MessagesController {
  constructor(
    private readonly replays: Replays,
    @Inject(Database) private readonly database: Database,
  ) {}

  @Get()
  @NeedsScope('payments:admin')
  @ListDocs()
  async list(@Query() { cursor, ...filter }: ListMessagesDto) {
    const after = cursor ? decodeCursor(cursor) : undefined
    const page = await listMessages(this.database, { ...filter, after })
    return { data: page.data.map(messageView), nextCursor: page.nextCursor }
  }

  @Get(':id')
  @NeedsScope('payments:admin')
  @GetDocs()
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string) {
    if (!isUUID(id)) throw noMessage()
    const action = { id: newUuid(), operator: caller.id, action: 'read_body' } as const
    const message = await this.database.write((run) => readByOperator(run, id, action))
    if (!message) throw noMessage()
    return messageContentView(message)
  }

  @Post(':id/replay')
  @HttpCode(200)
  @NeedsScope('payments:admin')
  @ReplayDocs()
  async replay(@CurrentCaller() caller: Caller, @Param('id') id: string) {
    const { result, message } = await this.replays.replay(caller, id)
    return { result, message: messageView(message) }
  }
}
