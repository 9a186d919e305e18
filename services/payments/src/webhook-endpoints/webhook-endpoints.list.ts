import { type Page, pageOf } from '@malipo/kit/http/page'
import type { Database } from '@malipo/kit/postgres/database'
import { ENDPOINT_COLUMNS, type StoredEndpoint } from './endpoint.view.js'

interface EndpointFilter {
  readonly ownerId: string
  readonly limit: number
  /** The last id of the previous page. */
  readonly after: string | undefined
}

/** Newest first. UUIDv7 ids sort by creation. */
export async function listEndpoints(
  database: Database,
  { ownerId, limit, after }: EndpointFilter,
): Promise<Page<StoredEndpoint>> {
  const found = await database.find('endpoint_list', (orm) => {
    const select = orm
      .createQueryBuilder()
      .select(ENDPOINT_COLUMNS)
      .from('webhook_endpoints', 'endpoint')
      .where(`endpoint.owner_id = :ownerId AND endpoint.state <> 'deleted'`, { ownerId })
    if (after !== undefined) select.andWhere('endpoint.id < :after', { after })
    // One row beyond the limit shows that there is a next page.
    return select
      .orderBy('endpoint.id', 'DESC')
      .limit(limit + 1)
      .getRawMany<StoredEndpoint>()
  })
  return pageOf(found, limit)
}
