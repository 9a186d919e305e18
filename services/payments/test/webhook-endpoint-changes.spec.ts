import { describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { withPayments } from './with-payments.js'

/** Changes of webhook endpoints. */

const { payments } = await withPayments()
const newMerchant = async () => endpointsOf(await newUser(), payments)
const merchant = await newMerchant()

describe('changing an endpoint', () => {
  it('changes only the given fields', async () => {
    const { secret: _, ...created } = await newEndpoint(merchant, { description: 'shop' })
    const { id } = created
    const url = 'http://shop.example:8080/other?key=1'
    const changed = await merchant.change(id, { url, events: ['*'] })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).toBe('"2"')
    const { updatedAt } = changed.body
    expect(changed.body).toEqual({ ...created, url, events: ['*'], version: 2, updatedAt })
    const cleared = await merchant.change(id, { description: null })
    expect(cleared.body).toMatchObject({ description: null, url, version: 3 })
    expect((await merchant.get(id)).body).toEqual(cleared.body)
  })

  it('disables and enables it, and forgets its failures', async () => {
    const { id } = await newEndpoint(merchant)
    const disabled = await merchant.change(id, { state: 'disabled' })
    expect(disabled.body).toMatchObject({ state: 'disabled', disabledReason: 'merchant' })
    await payments.sql(`UPDATE webhook_endpoints SET disabled_reason = 'failing' WHERE id = $1`, id)
    await payments.sql(
      `UPDATE webhook_endpoint_health
       SET failures = 30, failing_since = now(), open_until = now() + interval '1 hour', warnings = 2
       WHERE endpoint_id = $1`,
      id,
    )
    const again = await merchant.change(id, { state: 'disabled', description: 'x' })
    expect(again.body).toMatchObject({ disabledReason: 'failing' })
    expect(again.body.failingSince).toMatch(/^20/)
    const enabled = await merchant.change(id, { state: 'enabled' })
    expect(enabled.body).toMatchObject({
      state: 'enabled',
      disabledReason: null,
      failingSince: null,
    })
    const health = `SELECT failures, warnings, open_until::text FROM webhook_endpoint_health
                    WHERE endpoint_id = $1`
    expect(await payments.sql(health, id)).toEqual([
      { failures: 0, warnings: 0, open_until: '-infinity' },
    ])
  })

  it('of the URL forgets the failures of the earlier one', async () => {
    const { id } = await newEndpoint(merchant)
    const fail = `UPDATE webhook_endpoint_health
                  SET failures = 9, failed_tries = 9, failing_since = now(),
                      open_until = now() + interval '1 hour'
                  WHERE endpoint_id = $1`
    await payments.sql(fail, id)
    const described = await merchant.change(id, { description: 'x' })
    expect(described.body.failingSince).toMatch(/^20/)
    const moved = await merchant.change(id, { url: 'https://merchant.example/other' })
    expect(moved.body.failingSince).toBeNull()
    const health = `SELECT failures, failed_tries AS tries, open_until::text AS until
                    FROM webhook_endpoint_health WHERE endpoint_id = $1`
    expect(await payments.sql(health, id)).toEqual([{ failures: 0, tries: 0, until: '-infinity' }])
  })

  it('to what it already is changes nothing', async () => {
    const { id, url, events } = await newEndpoint(merchant)
    for (const body of [{}, { url, events, state: 'enabled', description: null }]) {
      const { status, body: shown } = await merchant.change(id, body)
      expect([status, shown.version]).toEqual([200, 1])
    }
  })

  it('obeys If-Match', async () => {
    const { id } = await newEndpoint(merchant)
    const change = (tag: string, description: string) =>
      merchant.change(id, { description }, { 'if-match': tag })
    expect((await change('"1"', 'a')).body.version).toBe(2)
    const stale = await change('"1"', 'b')
    expect([stale.status, stale.body.type]).toEqual([412, '/problems/endpoint-changed'])
    expect((await change('"1", "2"', 'c')).body.version).toBe(3)
    expect((await change('*', 'd')).body.version).toBe(4)
    expect((await change('W/"4"', 'e')).status).toBe(412)
    expect((await change('4', 'e')).status).toBe(400)
    expect((await merchant.get(id)).body.description).toBe('d')
  })

  it('with If-Match succeeds for one of concurrent requests', async () => {
    const { id } = await newEndpoint(merchant)
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        merchant.change(id, { description: `n${n}` }, { 'if-match': '"1"' }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array(7).fill(412),
    ])
  })

  it.each<[string, object, string]>([
    ['a URL that is null', { url: null }, 'url'],
    ['another scheme', { url: 'gopher://x' }, 'url'],
    ['an internal host', { url: 'https://localhost/' }, 'url'],
    ['no events', { events: [] }, 'events'],
    ['events that are null', { events: null }, 'events'],
    ['a state that is null', { state: null }, 'state'],
    ['the state deleted', { state: 'deleted' }, 'state'],
    ['a scheme', { scheme: 'v1a' }, 'scheme'],
    ['a reason', { disabledReason: 'gone' }, 'disabledReason'],
  ])('rejects %s', async (_, body, field) => {
    const { id } = await newEndpoint(await newMerchant())
    const answer = await merchant.change(id, body)
    expect([answer.status, answer.body.errors?.[0]?.field]).toEqual([400, field])
  })
})
