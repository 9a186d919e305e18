import type { Attributes } from '@opentelemetry/api'
import type { Pool } from 'pg'

/** Name and attributes of a statement's span: which statement on which server, never its values. */
export function statementSpan(name: string, pool: Pool): { name: string; attributes: Attributes } {
  const { connectionString, database, host, port } = pool.options
  const url = URL.parse(connectionString ?? '')
  const attributes = {
    'db.system.name': 'postgresql',
    'db.namespace': url?.pathname.slice(1) ?? database,
    'db.query.summary': name,
    'server.address': url?.hostname ?? host,
    'server.port': Number(url?.port) || port || 5432,
  }
  return { name, attributes }
}
