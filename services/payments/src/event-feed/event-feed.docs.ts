import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiOkResponse } from '@nestjs/swagger'
import { TOKEN_PROBLEMS } from '../problems.js'
import { FeedPageDto } from './event-feed.dto.js'

export const EventFeedDocs = () =>
  ApiRoute(
    {
      summary: 'List events of your payments',
      description:
        'Every event of your payments in the order of commits, none skipped, with or without webhook endpoints. ' +
        'Without `cursor`, reading starts 30 days ago. `nextCursor` is always present: store it with the effects of ' +
        'the page, and continue with it for as long as you like. An event appears once all earlier transactions have ' +
        'ended, usually within milliseconds. With `type`, a page may be empty although `hasMore` is true. Needs ' +
        '`payments:read`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: FeedPageDto }),
  )
