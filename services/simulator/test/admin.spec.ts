import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PERSONALITY_NAMES } from '../src/timeline/personalities.js'
import { type Simulator, STANDARD, startSimulator } from './simulator.js'

const newReference = () => `PAY-${randomUUID()}`

async function pay(simulator: Simulator, reference = newReference()) {
  const { status } = await simulator.request({
    method: 'POST',
    url: '/charges',
    headers: { authorization: `Bearer ${STANDARD.apiKey}` },
    payload: {
      reference,
      amount: '5000',
      currency: 'UGX',
      phone: '+256772123456',
      description: 'Payment',
    },
  })
  return { reference, status }
}
const view = async (simulator: Simulator, reference: string) => {
  const { body } = await simulator.request({ url: `/admin/charges/standard/${reference}` })
  return body as { personality: string; end: { outcome: object } }
}
const send = (
  simulator: Simulator,
  method: 'POST' | 'PUT' | 'DELETE',
  url: string,
  payload?: object,
) => simulator.request({ method, url, payload })

describe('a script', () => {
  it('of a reference decides that request, and is used once', async () => {
    const simulator = await startSimulator()
    const reference = newReference()
    const script = { personality: 'decline', code: 'NEW_CODE' }
    const url = `/admin/scripts/standard/${reference}`
    expect(await send(simulator, 'PUT', url, script)).toMatchObject({ status: 200, body: script })
    expect(await view(simulator, (await pay(simulator)).reference)).toMatchObject({
      personality: 'approve',
    })
    await pay(simulator, reference)
    expect(await view(simulator, reference)).toMatchObject({
      personality: 'decline',
      end: { outcome: { status: 'declined', code: 'NEW_CODE' } },
    })
    expect(await simulator.request({ url: '/admin/scripts' })).toMatchObject({ body: { data: [] } })
  })

  it('without a reference decides the next request of the provider, in order', async () => {
    const simulator = await startSimulator()
    for (const personality of ['never', 'refuse', 'unknown']) {
      await send(simulator, 'POST', '/admin/scripts/standard', { personality })
    }
    await send(simulator, 'POST', '/admin/scripts/mtn-momo', { personality: 'expire' })
    const first = await pay(simulator)
    expect((await pay(simulator)).status).toBe(422)
    const third = await pay(simulator)
    const fourth = await pay(simulator)
    const chosen = [first, third, fourth].map(({ reference }) => view(simulator, reference))
    expect((await Promise.all(chosen)).map(({ personality }) => personality)).toEqual([
      'never',
      'unknown',
      'approve',
    ])
  })

  it('that refuses leaves a rejection with its time, and no charge', async () => {
    const simulator = await startSimulator()
    const reference = newReference()
    await send(simulator, 'PUT', `/admin/scripts/standard/${reference}`, { personality: 'refuse' })
    await pay(simulator, reference)
    const { body } = await simulator.request({ url: '/admin/rejections' })
    const rejectedAt = [expect.stringMatching(/^\d{4}-.*Z$/)]
    expect(body).toEqual({ data: [{ provider: 'standard', reference, rejectedAt }] })
  })

  it('can be cleared, and replaced', async () => {
    const simulator = await startSimulator()
    const reference = newReference()
    const url = `/admin/scripts/standard/${reference}`
    await send(simulator, 'PUT', url, { personality: 'never' })
    await send(simulator, 'PUT', url, { personality: 'expire' })
    const { body } = await simulator.request({ url: '/admin/scripts' })
    expect(body).toMatchObject({ data: [{ reference, personality: 'expire' }] })
    expect(await send(simulator, 'DELETE', '/admin/scripts')).toMatchObject({ status: 204 })
    expect(await simulator.request({ url: '/admin/scripts' })).toMatchObject({ body: { data: [] } })
  })

  it('sets the time that the payer takes', async () => {
    const simulator = await startSimulator({ env: { TIME_SCALE: '1' } })
    const script = { personality: 'approve', payerMs: 0 }
    await send(simulator, 'POST', '/admin/scripts/standard', script)
    const { reference } = await pay(simulator)
    expect(await view(simulator, reference)).toMatchObject({ isFinished: true })
  })

  it.each([
    [{ personality: 'other' }, 'personality'],
    [{ personality: 'approve', payerMs: -1 }, 'payerMs'],
    [{ personality: 'approve', payerMs: 1.5 }, 'payerMs'],
    [{ personality: 'decline', code: '<>' }, 'code'],
    [{}, 'personality'],
  ])('is rejected as %j', async (script, field) => {
    const simulator = await startSimulator()
    expect(await send(simulator, 'POST', '/admin/scripts/standard', script)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining(field) },
    })
  })

  it('is rejected for an unknown provider', async () => {
    const simulator = await startSimulator()
    const script = { personality: 'approve' }
    expect(await send(simulator, 'POST', '/admin/scripts/other', script)).toMatchObject({
      status: 400,
    })
  })
})

describe('the mix', () => {
  it('decides by seed and reference, also after a restart', async () => {
    const first = await startSimulator()
    const mix = { seed: '7', weights: { never: 1, unknown: 1 } }
    expect(await send(first, 'PUT', '/admin/mix', mix)).toMatchObject({ status: 200, body: mix })
    const references = Array.from({ length: 20 }, newReference)
    const chosenBy = async (simulator: Simulator) => {
      const chosen = []
      for (const reference of references) {
        await pay(simulator, reference)
        chosen.push((await view(simulator, reference)).personality)
      }
      return chosen
    }
    const chosen = await chosenBy(first)
    expect(new Set(chosen)).toEqual(new Set(['never', 'unknown']))
    await first.close()
    const restarted = await startSimulator({ folder: first.folder })
    expect(await restarted.request({ url: '/admin/mix' })).toMatchObject({ body: mix })
    const other = await startSimulator()
    await send(other, 'PUT', '/admin/mix', mix)
    expect(await chosenBy(other)).toEqual(chosen)
  })

  it.each([
    { weights: {} },
    { seed: '1', weights: { other: 1 } },
    { seed: '1', weights: { never: -1 } },
  ])('is rejected as %j', async (mix) => {
    const simulator = await startSimulator()
    expect(await send(simulator, 'PUT', '/admin/mix', mix)).toMatchObject({ status: 400 })
  })

  it('lists the personalities', async () => {
    const { body } = await (await startSimulator()).request({ url: '/admin/personalities' })
    const { data } = body as { data: { name: string; number: number }[] }
    expect(data.map(({ name }) => name)).toEqual(PERSONALITY_NAMES)
    expect(data.map(({ number }) => number)).toEqual(data.map((_, index) => index))
  })
})

describe('the book', () => {
  it('is listed in pages', async () => {
    const simulator = await startSimulator()
    const references = []
    for (let nth = 0; nth < 5; nth++) references.push((await pay(simulator)).reference)
    const listed: string[] = []
    let next: number | null = 0
    while (next !== null) {
      const { body } = await simulator.request({ url: `/admin/charges?limit=2&after=${next}` })
      const page = body as { data: { reference: string }[]; next: number | null }
      listed.push(...page.data.map(({ reference }) => reference))
      next = page.next
    }
    expect(listed).toEqual(references)
    const { status } = await simulator.request({ url: '/admin/charges?limit=1001' })
    expect(status).toBe(400)
    const unknown = await simulator.request({ url: '/admin/charges/standard/other' })
    expect(unknown.status).toBe(404)
  })

  it('is counted', async () => {
    const simulator = await startSimulator()
    await pay(simulator)
    await send(simulator, 'POST', '/admin/scripts/standard', { personality: 'never' })
    await pay(simulator)
    expect(await simulator.request({ url: '/admin/counts' })).toMatchObject({
      body: {
        charges: 2,
        finished: 2,
        byProvider: { standard: 2 },
        byPersonality: { approve: 1, never: 1 },
        byOutcome: { paid: 1, pending: 1 },
      },
    })
  })

  it('accepts no charge while it is full of unfinished ones', async () => {
    const env = { BOOK_MAX_CHARGES: '1', TIME_SCALE: '1' }
    const simulator = await startSimulator({ env })
    const statuses = [await pay(simulator), await pay(simulator)]
    expect(statuses.map(({ status }) => status)).toEqual([202, 503])
  })
})

describe('the counts of requests', () => {
  it('have each endpoint with its responses, until they are cleared', async () => {
    const simulator = await startSimulator()
    await pay(simulator)
    const { body } = await simulator.request({ url: '/admin/requests' })
    expect(body).toMatchObject({ 'standard charges': { total: 1, statuses: { 202: 1 } } })
    expect(await send(simulator, 'DELETE', '/admin/requests')).toMatchObject({ status: 204 })
    expect(await simulator.request({ url: '/admin/requests' })).toMatchObject({ body: {} })
  })
})

describe('the server', () => {
  it('is live and ready', async () => {
    const simulator = await startSimulator()
    for (const url of ['/health/live', '/health/ready']) {
      expect(await simulator.request({ url })).toMatchObject({
        status: 200,
        body: { status: 'ok' },
      })
    }
  })

  it('rejects a body over 64 kB, and an unknown route', async () => {
    const simulator = await startSimulator()
    const body = { description: 'x'.repeat(64 * 1024) }
    expect(await send(simulator, 'POST', '/charges', body)).toMatchObject({ status: 413 })
    expect(await simulator.request({ url: '/other' })).toMatchObject({ status: 404 })
  })
})
