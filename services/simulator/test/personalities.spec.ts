import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Simulator, STANDARD, startMerchant, startSimulator } from './simulator.js'
import { until } from '@malipo/testing/until'

/** What each personality does on the wire, with the API of `standard`. */

const HEADERS = { authorization: `Bearer ${STANDARD.apiKey}`, 'content-type': 'application/json' }

interface View {
  readonly answer: { readonly kind: string }
  readonly callbacks: { readonly result: number | string }[]
  readonly repeatsAt: string[]
  readonly isFinished: boolean
  readonly now: { readonly outcome: { readonly status: string }; readonly reported: string }
  readonly end: View['now']
}

/** A charge whose payer has this personality, at a simulator whose times are scaled. */
async function chargeOf(number: string, timeScale: string, onCallback?: () => void) {
  const merchant = await startMerchant(onCallback)
  const simulator = await startSimulator({ env: { TIME_SCALE: timeScale } })
  const reference = `PAY-${randomUUID()}`
  const body = {
    reference,
    amount: '5000',
    currency: 'UGX',
    phone: `+2567729000${number}`,
    description: 'Payment',
    callbackUrl: merchant.url,
  }
  return {
    merchant,
    simulator,
    pay: () => post(simulator, body),
    status: () => statusOf(simulator, reference),
    view: async () => {
      const url = `/admin/charges/standard/${reference}`
      return (await simulator.request({ url })).body as View
    },
  }
}

const urlOf = ({ server }: Simulator) => {
  const [address] = server.addresses()
  if (typeof address !== 'object') throw new Error('the simulator does not listen')
  return `http://127.0.0.1:${address.port}`
}
/** The status of the response; `reset` if the connection is closed without one. */
async function post(simulator: Simulator, body: object): Promise<number | string> {
  const options = { method: 'POST', headers: HEADERS, body: JSON.stringify(body) }
  const response = await fetch(`${urlOf(simulator)}/charges`, options).catch(() => undefined)
  await response?.arrayBuffer()
  return response?.status ?? 'reset'
}
async function statusOf(simulator: Simulator, reference: string): Promise<string> {
  const response = await fetch(`${urlOf(simulator)}/charges/${reference}`, { headers: HEADERS })
  const body = (await response.json()) as { status?: string; code?: string }
  return body.status ?? body.code ?? ''
}

const reports = (received: readonly { body: string }[]) =>
  received.map(({ body }) => (JSON.parse(body) as { status: string }).status)

/** A merchant that accepts connections and never answers. */
async function startSilentMerchant(): Promise<string> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return `http://localhost:${(server.address() as AddressInfo).port}/`
}

describe('a payer', () => {
  it('approves after 2 s, and a callback reports it', async () => {
    const { pay, status, merchant, view } = await chargeOf('00', '0.05')
    expect(await pay()).toBe(202)
    expect(await status()).toBe('PENDING')
    await until(() => merchant.received.length > 0)
    expect(await status()).toBe('SUCCESS')
    await until(async () => (await view()).callbacks.length > 0)
    expect(await view()).toMatchObject({ callbacks: [{ result: 200 }], isFinished: true })
  })

  it('has a slow provider', async () => {
    const { pay, status } = await chargeOf('04', '0.02')
    const before = Date.now()
    expect(await pay()).toBe(202)
    expect(Date.now() - before).toBeGreaterThanOrEqual(239)
    const asked = Date.now()
    expect(await status()).toBe('SUCCESS')
    expect(Date.now() - asked).toBeGreaterThanOrEqual(59)
  })

  it.each([
    ['10', 500, { 500: 1 }],
    ['11', 'reset', { 0: 1 }],
  ])('has paid, although %s answers the request with %s', async (number, answer, statuses) => {
    const { pay, status, view, simulator } = await chargeOf(number, '0')
    expect(await pay()).toBe(answer)
    const { body } = await simulator.request({ url: '/admin/requests' })
    expect(body).toMatchObject({ 'standard charges': { statuses } })
    expect(await status()).toBe('SUCCESS')
    expect(await pay()).toBe(409)
    expect((await view()).repeatsAt).toHaveLength(1)
  })

  it('has paid one more than the merchant asked for', async () => {
    const { pay, merchant } = await chargeOf('09', '0')
    await pay()
    await until(() => merchant.received.length > 0)
    expect(JSON.parse(merchant.received[0]!.body)).toMatchObject({ amount: '5001' })
  })

  it('has failed, then paid', async () => {
    const { pay, status, merchant } = await chargeOf('18', '0.001')
    await pay()
    await until(() => merchant.received.length > 0)
    expect(await status()).toBe('FAILED')
    await until(() => merchant.received.length > 1)
    expect(await status()).toBe('SUCCESS')
    expect(reports(merchant.received)).toEqual(['FAILED', 'SUCCESS'])
  })
})

describe('a callback', () => {
  it('is sent before the request is answered', async () => {
    const events: string[] = []
    const { pay } = await chargeOf('07', '1', () => events.push('callback'))
    await pay().then((status) => events.push(`answer ${status}`))
    expect(events).toEqual(['callback', 'answer 202'])
  })

  it('is sent twice at the same instant', async () => {
    const { pay, merchant } = await chargeOf('06', '0')
    await pay()
    await until(() => merchant.received.length === 2)
    const [first, second] = merchant.received
    expect(Math.abs(first!.at - second!.at)).toBeLessThan(200)
  })

  it('precedes the status that it reports', async () => {
    const { pay, status, merchant } = await chargeOf('08', '0.1')
    await pay()
    await until(() => merchant.received.length > 0)
    expect([await status(), reports(merchant.received)]).toEqual(['PENDING', ['SUCCESS']])
    await until(async () => (await status()) === 'SUCCESS')
  })

  it.each(['05', '10', '15', '19'])('is not sent by %s', async (number) => {
    const { pay, merchant, view } = await chargeOf(number, '0')
    await pay()
    expect((await view()).isFinished).toBe(true)
    await sleep(100)
    expect(merchant.received).toHaveLength(0)
  })

  it.each([
    ['ECONNREFUSED', () => Promise.resolve('http://localhost:1/')],
    ['timeout', startSilentMerchant],
  ])('is recorded with %s, and is not repeated', async (result, start) => {
    const callbackUrl = await start()
    const simulator = await startSimulator({ env: { CALLBACK_TIMEOUT_MS: '100' } })
    const reference = `PAY-${randomUUID()}`
    const input = { reference, amount: '5000', currency: 'UGX', phone: '+256772123456' }
    await post(simulator, { ...input, description: 'Payment', callbackUrl })
    const view = async () => {
      const { body } = await simulator.request({ url: `/admin/charges/standard/${reference}` })
      return (body as View).callbacks
    }
    await until(async () => (await view()).length > 0)
    await sleep(50)
    expect(await view()).toMatchObject([{ result }])
  })
})

describe('the book', () => {
  it.each([
    ['12', 500, 'pending'],
    ['13', 202, 'pending'],
    ['14', 202, 'paid'],
  ])('withholds the charge of %s from status queries', async (number, answer, outcome) => {
    const { pay, status, view } = await chargeOf(number, '0')
    expect(await pay()).toBe(answer)
    expect(await status()).toBe('charge_not_found')
    expect((await view()).end).toMatchObject({ outcome: { status: outcome }, reported: 'unknown' })
  })

  it('knows from the start how a charge ends', async () => {
    const { pay, status, view } = await chargeOf('15', '1')
    await pay()
    expect(await status()).toBe('charge_not_found')
    expect(await view()).toMatchObject({
      now: { outcome: { status: 'pending' }, reported: 'unknown' },
      end: { outcome: { status: 'paid' }, reported: 'paid' },
      isFinished: false,
    })
  })

  it.each([
    ['20', [422, 422]],
    ['21', [429, 202]],
  ])('has no charge of a request that %s rejected', async (number, answers) => {
    const { pay, status } = await chargeOf(number, '0')
    expect(await pay()).toBe(answers[0])
    expect(await status()).toBe('charge_not_found')
    expect(await pay()).toBe(answers[1])
  })
})
