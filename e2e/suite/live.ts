import { check } from '../checks.ts'
import { bodyOf, pay, register, tokenOf } from './http.ts'
import { type Platform, RELEASE, SERVICES } from './platform.ts'

/** Live mode, which the charts have unless they are told otherwise. */

export async function checkLive(platform: Platform): Promise<void> {
  const { client, helm, namespace } = platform
  await check('live: helm test leaves nothing behind but its trace in the audit', async () => {
    const before = await rows(platform)
    await helm.test(namespace, RELEASE)
    const after = await rows(platform)
    if (after !== before) throw new Error(`${after}\ninstead of\n${before}`)
    const pods = await namespace.list('pod', 'app.kubernetes.io/component=test')
    if (pods.length > 0) throw new Error('its pods are still there')
  })
  await check('live: who makes a payment does not settle it', async () => {
    const token = await tokenOf(client, await register(client))
    const path = `/api/payments/${await pay(client, token)}/status`
    bodyOf(await client({ method: 'POST', path, token, body: { status: 'PENDING' } }), 403)
  })
}

const COUNT = `SELECT table_name || ' ' || (xpath('/row/n/text()', query_to_xml(
    format('SELECT count(*) AS n FROM %I', table_name), false, true, '')))[1]::text
  FROM information_schema.tables
 WHERE table_schema = 'public' AND table_name <> 'audit_events'
 ORDER BY 1`

/** How many rows each table has, but for the audit trail: a login that is refused belongs into it. */
async function rows(platform: Platform): Promise<string> {
  const counted = SERVICES.map((service) => platform.psql(service, COUNT))
  return (await Promise.all(counted)).flat().join('\n')
}
