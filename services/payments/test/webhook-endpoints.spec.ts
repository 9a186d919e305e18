import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SUBSCRIPTIONS } from '../src/notifications/events.js'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { untilBlocked } from './locks.js'
import { withPayments } from './with-payments.js'

/** Creating, listing and deleting webhook endpoints. */

const { payments, owner } = await withPayments()
const merchant = endpointsOf(owner, payments)
const newMerchant = async () => endpointsOf(await newUser(), payments)

describe('creating an endpoint', () => {
  it('answers it with its secret, its path and its version', async () => {
    const events = ['payment.failed', 'payment.succeeded', 'payment.failed']
    const answer = await merchant.create({ events, description: 'shop' })
    const { body, headers } = answer
    expect(answer).toMatchObject({
      status: 201,
      body: {
        url: 'https://merchant.example/hook',
        events: ['payment.succeeded', 'payment.failed'],
        description: 'shop',
        scheme: 'v1',
        publicKey: null,
        state: 'enabled',
        disabledReason: null,
        failingSince: null,
        secrets: [{ publicKey: null, createdAt: body.createdAt, expiresAt: null }],
        version: 1,
      },
    })
    expect(body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(headers.get('location')).toBe(`/api/webhook-endpoints/${body.id}`)
    expect(headers.get('etag')).toBe('"1"')
    expect(headers.get('cache-control')).toBe('no-store')
    const { secret: _, ...shown } = body
    const read = await merchant.get(body.id)
    expect(read).toMatchObject({ status: 200, body: shown })
    expect(read.body).not.toHaveProperty('secret')
    expect(read.headers.get('etag')).toBe('"1"')
  })

  it('with v1a answers and shows only the public key', async () => {
    const created = await newEndpoint(merchant, { scheme: 'v1a' })
    expect(created).toMatchObject({ scheme: 'v1a', secret: null })
    expect(created.publicKey).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/)
    expect(created.secrets).toEqual([
      { publicKey: created.publicKey, createdAt: created.createdAt, expiresAt: null },
    ])
    expect((await merchant.get(created.id)).body.publicKey).toBe(created.publicKey)
  })

  it('gives each endpoint another secret', async () => {
    const other = await newMerchant()
    const created = await Promise.all([1, 2, 3].map(() => newEndpoint(other)))
    expect(new Set(created.map(({ secret }) => secret)).size).toBe(3)
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['no URL', { url: undefined }, 'url'],
    ['a URL that is null', { url: null }, 'url'],
    ['a URL that is a number', { url: 1 }, 'url'],
    ['an empty URL', { url: '' }, 'url'],
    ['no scheme', { url: 'merchant.example/hook' }, 'url'],
    ['another scheme', { url: 'ftp://merchant.example/' }, 'url'],
    ['a file', { url: 'file:///etc/passwd' }, 'url'],
    ['no host', { url: 'https://' }, 'url'],
    ['a user', { url: 'https://user@merchant.example/' }, 'url'],
    ['a password', { url: 'https://:secret@merchant.example/' }, 'url'],
    ['an internal name', { url: 'https://metadata.google.internal/' }, 'url'],
    ['an internal address', { url: 'https://169.254.169.254/latest' }, 'url'],
    ['another spelling of one', { url: 'https://0x7f.1/' }, 'url'],
    ['a denied address', { url: 'https://10.244.1.1/' }, 'url'],
    ['a port of another protocol', { url: 'https://merchant.example:25/' }, 'url'],
    ['a fragment', { url: 'https://merchant.example/#top' }, 'url'],
    ['a long URL', { url: `https://merchant.example/${'x'.repeat(2_000)}` }, 'url'],
    ['a NUL character in the URL', { url: 'https://merchant.example/a\u0000' }, 'url'],
    ['no events', { events: undefined }, 'events'],
    ['an empty list of events', { events: [] }, 'events'],
    ['events that are null', { events: null }, 'events'],
    ['events that are a string', { events: '*' }, 'events'],
    ['events that are an object', { events: { 0: '*' } }, 'events'],
    ['an unknown event', { events: ['payment.exploded'] }, 'events'],
    ['a nested list', { events: [['*']] }, 'events'],
    ['an event that is not notified', { events: ['payment.created'] }, 'events'],
    ['a ping', { events: ['ping'] }, 'events'],
    ['too many events', { events: Array(20).fill('*') }, 'events'],
    ['another pattern', { events: ['webhook_endpoint.*'] }, 'events'],
    ['a description that is a number', { description: 1 }, 'description'],
    ['a long description', { description: 'x'.repeat(501) }, 'description'],
    ['a description with a lone surrogate', { description: '\ud800' }, 'description'],
    ['another signature', { scheme: 'v2' }, 'scheme'],
    ['a scheme that is null', { scheme: null }, 'scheme'],
    ['an unknown field', { secret: 'whsec_x' }, 'secret'],
    ['a state', { state: 'disabled' }, 'state'],
    ['an owner', { ownerId: randomUUID() }, 'ownerId'],
  ])('rejects %s', async (_, changes, field) => {
    const { status, body } = await merchant.create(changes)
    expect([status, body.errors?.[0]?.field]).toEqual([400, field])
  })

  it.each(SUBSCRIPTIONS)('takes the subscription %s', async (name) => {
    const { body } = await (await newMerchant()).create({ events: [name] })
    expect(body.events).toEqual([name])
  })

  it('refuses Idempotency-Key, because the response shows a secret once', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const answer = await merchant.create({}, headers)
    expect([answer.status, answer.body.errors?.[0]?.field]).toEqual([400, 'Idempotency-Key'])
    const { id } = await newEndpoint(merchant)
    expect((await merchant.rotate(id, {}, headers)).status).toBe(400)
  })
})

describe('the limit of 16 endpoints', () => {
  it('holds for concurrent requests', async () => {
    const other = await newMerchant()
    const answers = await Promise.all(Array.from({ length: 24 }, () => other.create()))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(16)
    expect(statuses.filter((status) => status === 409)).toHaveLength(8)
    const refused = answers.find(({ status }) => status === 409)
    expect(refused?.body).toMatchObject({ type: '/problems/too-many-endpoints' })
    expect((await other.list('?limit=100')).body.data).toHaveLength(16)
  })

  it('counts an endpoint that commits after the request has begun', async () => {
    const user = await newUser()
    const other = endpointsOf(user, payments)
    for (let n = 0; n < 15; n++) await newEndpoint(other)
    const connection = new Client({ connectionString: payments.databaseUrl })
    await connection.connect()
    onTestFinished(() => connection.end())
    await connection.query('BEGIN')
    await connection.query('SELECT webhook_endpoints_of($1)', [user.id])
    await connection.query(
      `INSERT INTO webhook_endpoints (id, owner_id, url, events, state, created_at, updated_at, version)
       VALUES ($1, $2, 'https://merchant.example/', '{*}', 'enabled', now(), now(), 1)`,
      [randomUUID(), user.id],
    )
    const answer = other.create()
    await untilBlocked(payments, 1)
    await connection.query('COMMIT')
    expect((await answer).status).toBe(409)
  })

  it('counts neither deleted endpoints nor those of others', async () => {
    const other = await newMerchant()
    const created = await Promise.all(Array.from({ length: 16 }, () => newEndpoint(other)))
    expect((await other.create()).status).toBe(409)
    await other.change(created[0].id, { state: 'disabled' })
    expect((await other.create()).status).toBe(409)
    expect((await (await newMerchant()).create()).status).toBe(201)
    expect((await other.remove(created[0].id)).status).toBe(204)
    expect((await other.create()).status).toBe(201)
  })
})

describe('the list', () => {
  it('has the own endpoints, newest first, page by page', async () => {
    const other = await newMerchant()
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await newEndpoint(other)).id)
    const deleted = ids.splice(2, 1)[0] as string
    await other.remove(deleted)
    const first = (await other.list('?limit=2')).body
    const second = (await other.list(`?limit=2&cursor=${first.nextCursor}`)).body
    const listed = [...first.data, ...second.data].map(({ id }) => id)
    expect([listed, second.nextCursor]).toEqual([ids, null])
    expect((await other.list()).body.data).toEqual([...first.data, ...second.data])
    expect((await other.list()).body.data[0]).toEqual((await other.get(ids[0] as string)).body)
  })

  it.each(['?limit=0', '?limit=101', '?limit=x', '?cursor=x', '?state=enabled'])(
    'rejects %s',
    async (query) => {
      expect((await merchant.list(query)).status).toBe(400)
    },
  )
})

describe('a deleted endpoint', () => {
  it('does not exist anymore, and has no secrets', async () => {
    const { id } = await newEndpoint(merchant)
    await merchant.rotate(id)
    const secrets = 'SELECT 1 FROM webhook_endpoint_secrets WHERE endpoint_id = $1'
    expect(await payments.sql(secrets, id)).toHaveLength(2)
    expect((await merchant.remove(id)).status).toBe(204)
    expect(await payments.sql(secrets, id)).toEqual([])
    const answers = await Promise.all([
      merchant.get(id),
      merchant.change(id, { description: 'x' }),
      merchant.rotate(id),
      merchant.remove(id),
    ])
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
    const state = 'SELECT state FROM webhook_endpoints WHERE id = $1'
    expect(await payments.sql(state, id)).toEqual([{ state: 'deleted' }])
  })

  it('has no secrets either if it is rotated at the same time', async () => {
    const other = await newMerchant()
    const created = await Promise.all(Array.from({ length: 10 }, () => newEndpoint(other)))
    await Promise.all(
      created.flatMap(({ id }) => [other.rotate(id), other.remove(id), other.rotate(id)]),
    )
    const left = 'SELECT 1 FROM webhook_endpoint_secrets WHERE endpoint_id = ANY ($1)'
    expect(
      await payments.sql(
        left,
        created.map(({ id }) => id),
      ),
    ).toEqual([])
  })
})
