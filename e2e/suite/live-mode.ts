import { check } from '../checks.ts'
import { bodyOf, createPayment, login, newPayment, register } from './http.ts'
import { registerMerchant } from './merchant.ts'
import { type Platform, RELEASE, SERVICES } from './platform.ts'

/** Live mode, the default of the charts. */

export async function checkLive(platform: Platform): Promise<void> {
  const { client, helm, namespace } = platform
  await check('live: helm test records only its rejected login', async () => {
    const before = await rows(platform)
    await helm.test(namespace, RELEASE)
    const after = await rows(platform)
    if (after !== before) throw new Error(`${after}\ninstead of\n${before}`)
    const pods = await namespace.list('pod', 'app.kubernetes.io/component=test')
    if (pods.length > 0) throw new Error('the test pods still exist')
  })
  await check('live: a user creates no payment before an operator grants it', async () => {
    const token = await login(client, await register(client))
    const request = { method: 'POST', path: '/api/payments', token, body: newPayment() } as const
    bodyOf(await client(request), 403)
    bodyOf(await client({ path: '/api/payments', token }), 200)
  })
  await check('live: the owner of a payment may not settle it', async () => {
    const token = await login(client, await registerMerchant(platform))
    const path = `/api/payments/${await createPayment(client, token)}/status`
    bodyOf(await client({ method: 'POST', path, token, body: { status: 'PENDING' } }), 403)
  })
}

const COUNT = `SELECT table_name || ' ' || (xpath('/row/n/text()', query_to_xml(
    format('SELECT count(*) AS n FROM %I', table_name), false, true, '')))[1]::text
  FROM information_schema.tables
 WHERE table_schema = 'public' AND table_name NOT IN ('audit_events', 'login_attempts')
 ORDER BY 1`

/** Row counts of all tables except those that record a rejected login. */
async function rows(platform: Platform): Promise<string> {
  const counted = SERVICES.map((service) => platform.psql(service, COUNT))
  return (await Promise.all(counted)).flat().join('\n')
}
