import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { endpointsOf, type EndpointsOf, newEndpoint } from './endpoints.js'
import { type Payments, startPayments } from './payments.js'
import { startStatementProxy, type StatementProxy } from './statement-proxy.js'

/** The proxy closes the connection after PostgreSQL has committed and before its result is returned. */

let watched: StatementProxy
/** Two replicas for the same merchant: `payments` connects through the proxy, `direct` does not. */
let payments: Payments
let direct: Payments
let merchant: EndpointsOf
let beside: EndpointsOf

beforeAll(async () => {
  const started = await startStatementProxy()
  const { databaseUrl } = started
  watched = started.watched
  payments = await startPayments({ DATABASE_URL: watched.through(databaseUrl), DB_WAIT_MS: '4000' })
  direct = await startPayments({ DATABASE_URL: databaseUrl })
})
afterAll(async () => {
  await Promise.all([payments.close(), direct.close()])
  await watched.proxy.close()
})
beforeEach(async () => {
  const owner = await newUser()
  merchant = endpointsOf(owner, payments)
  beside = endpointsOf(owner, direct)
  watched.reset()
})

const list = async () => (await beside.list('?limit=100')).body.data as { id: string }[]

describe('a lost result', () => {
  it('of a creation creates one endpoint and responds 201 with its secret', async () => {
    watched.loseResultOf('endpoint_create')
    const { id, secret, version } = await newEndpoint(merchant)
    expect(watched.sent).toBe(1)
    expect(secret).toMatch(/^whsec_/)
    expect([version, (await list()).map((each) => each.id)]).toEqual([1, [id]])
  })

  it('of the creation of the last endpoint is not one too many', async () => {
    for (let n = 0; n < 15; n++) await newEndpoint(beside)
    watched.loseResultOf('endpoint_create')
    expect((await merchant.create()).status).toBe(201)
    expect(await list()).toHaveLength(16)
  })

  it('of a change with If-Match responds 200', async () => {
    const { id } = await newEndpoint(beside)
    watched.loseResultOf('endpoint_change')
    const answer = await merchant.change(id, { description: 'x' }, { 'if-match': '"1"' })
    expect(watched.sent).toBe(1)
    expect(answer).toMatchObject({ status: 200, body: { description: 'x', version: 2 } })
  })

  it('of a deletion responds 204', async () => {
    const { id } = await newEndpoint(beside)
    watched.loseResultOf('endpoint_delete')
    expect((await merchant.remove(id)).status).toBe(204)
    expect(watched.sent).toBe(1)
    expect((await merchant.remove(id)).status).toBe(404)
  })

  it('of a rotation rotates once and responds with the secret that signs', async () => {
    const { id } = await newEndpoint(beside)
    watched.loseResultOf('endpoint_secret_rotate')
    const { status, body } = await merchant.rotate(id)
    expect(watched.sent).toBe(1)
    expect([status, body.version, body.secrets.length]).toEqual([200, 2, 2])
    const stored = 'SELECT nth FROM webhook_endpoint_secrets WHERE endpoint_id = $1 ORDER BY nth'
    expect(await direct.sql(stored, id)).toEqual([{ nth: 1 }, { nth: 2 }])
  })

  it('of a rotation is repaired by rotating again', async () => {
    const { id } = await newEndpoint(beside)
    // The client has lost the response.
    const { body: before } = await beside.rotate(id)
    const { body: after } = await beside.rotate(id)
    expect(after.secrets).toHaveLength(2)
    expect(after.secrets[1]).toEqual(before.secrets[1])
  })
})

describe('a statement that is executed after its request', () => {
  /** Holds the statement until its request has failed with 503, then has it executed after `meanwhile`. */
  async function late(
    name: string,
    request: () => Promise<{ status: number }>,
    meanwhile: () => Promise<unknown>,
  ) {
    watched.statement = name
    watched.proxy.holdNextRequest()
    const answer = request()
    await until(() => watched.sent > 0)
    watched.statement = ''
    expect((await answer).status).toBe(503)
    await meanwhile()
    await watched.proxy.release()
  }

  it('does not replace the secret of a later rotation', async () => {
    const { id } = await newEndpoint(beside)
    let version = 0
    const rotateAgain = async () => {
      version = (await beside.rotate(id)).body.version as number
    }
    await late('endpoint_secret_rotate', () => merchant.rotate(id), rotateAgain)
    expect((await beside.get(id)).body.version).toBe(version)
  })

  it('does not rotate, even if nothing else has changed', async () => {
    const { id } = await newEndpoint(beside)
    await late(
      'endpoint_secret_rotate',
      () => merchant.rotate(id),
      async () => undefined,
    )
    expect((await beside.get(id)).body).toMatchObject({ version: 1, secrets: [{}] })
  })

  it('creates no endpoint', async () => {
    await late(
      'endpoint_create',
      () => merchant.create(),
      async () => undefined,
    )
    expect(await list()).toEqual([])
  })

  it('does not undo a later change', async () => {
    const { id } = await newEndpoint(beside)
    await late(
      'endpoint_change',
      () => merchant.change(id, { description: 'early' }),
      () => beside.change(id, { description: 'later' }),
    )
    expect((await beside.get(id)).body.description).toBe('later')
  })
})
