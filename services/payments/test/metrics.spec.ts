import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { listening } from './payments.js'
import { fromProvider, newPayment, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'
import { withPayments } from './with-payments.js'

/** Each event is counted once, and the number of series is bounded. */

const { payments, user } = await withPayments()

const text = async () => String((await payments.client.get('/metrics')).body)
const series = async () =>
  (await text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))

describe('a transition', () => {
  it('is counted by status and cause', async () => {
    const at = (status: string, cause: string) =>
      payments.metric(`payment_transitions_total{status="${status}",cause="${cause}"}`)
    const before = await at('SUCCESS', 'webhook')
    const reference = await newPayment(user, 'PENDING')
    await fromProvider(payments, webhookBody(reference, 'SUCCESS'))
    expect(await at('INITIATED', 'create')).toBeGreaterThan(0)
    expect(await at('PENDING', 'status')).toBeGreaterThan(0)
    expect(await at('SUCCESS', 'webhook')).toBe(before + 1)
  })

  it('is not counted again when its response is replayed', async () => {
    const created = 'payment_transitions_total{status="INITIATED",cause="create"}'
    const moved = 'payment_transitions_total{status="PENDING",cause="status"}'
    const key = { 'idempotency-key': 'metrics-1' }
    const reference = (await user.create({}, key)).body.reference as string
    await user.move(reference, 'PENDING', { 'idempotency-key': 'metrics-2' })
    const counted = [await payments.metric(created), await payments.metric(moved)]
    expect((await user.create({}, key)).headers.get('idempotent-replayed')).toBe('true')
    await user.move(reference, 'PENDING', { 'idempotency-key': 'metrics-2' })
    expect([await payments.metric(created), await payments.metric(moved)]).toEqual(counted)
  })

  it('to a terminal status records the time since creation', async () => {
    const line = 'payment_duration_seconds_count{status="FAILED",account="manual"}'
    const before = await payments.metric(line)
    const reference = await newPayment(user, 'PENDING')
    expect(await payments.metric(line)).toBe(before)
    await user.move(reference, 'FAILED')
    expect(await payments.metric(line)).toBe(before + 1)
  })

  it('is counted by reason if rejected', async () => {
    const rejected = (reason: string) =>
      payments.metric(`payment_transitions_rejected_total{reason="${reason}"}`)
    const before = [await rejected('not_allowed'), await rejected('version_changed')]
    const reference = await newPayment(user)
    expect((await user.move(reference, 'SUCCESS')).status).toBe(400)
    expect((await user.move(reference, 'PENDING', { 'if-match': '"7"' })).status).toBe(412)
    const after = [await rejected('not_allowed'), await rejected('version_changed')]
    expect(after).toEqual(before.map((count) => count + 1))
  })

  it('by a webhook is counted by outcome, as is an invalid signature', async () => {
    const outcome = (name: string) => payments.metric(`webhooks_total{outcome="${name}"}`)
    const reference = await newPayment(user)
    const body = webhookBody(reference, 'PENDING')
    const before = await outcome('duplicate')
    await fromProvider(payments, body)
    await fromProvider(payments, body)
    await fromProvider(payments, { ...body, status: 'FAILED' })
    const secret = `whsec_${Buffer.alloc(32, 'other').toString('base64')}`
    await fromProvider(payments, body, { secret })
    expect(await outcome('duplicate')).toBe(before + 1)
    expect([await outcome('conflict'), await outcome('bad_signature')]).toEqual([1, 1])
  })
})

describe('the process', () => {
  it('reports its release, pool, statements and Redis', async () => {
    await user.list()
    const metrics = await text()
    expect(metrics).toMatch(/^build_info\{version="\d+\.\d+\.\d+",node="v\d+/m)
    expect(metrics).toMatch(/^db_pool_connections\{state="idle"\} [1-9]/m)
    expect(metrics).toMatch(/^db_pool_connections_max 8$/m)
    expect(metrics).toMatch(
      /^db_statement_duration_seconds_count\{statement="payment_insert"\} [1-9]/m,
    )
    expect(metrics).toMatch(
      /^db_statement_duration_seconds_count\{statement="payment_list"\} [1-9]/m,
    )
    expect(metrics).toMatch(/^db_pool_wait_seconds_count [1-9]/m)
    expect(metrics).toMatch(/^db_retries_total\{verdict="in_doubt"\} 0$/m)
    expect(metrics).toMatch(/^redis_up 1$/m)
    expect(metrics).toMatch(/^nodejs_eventloop_lag_p99_seconds /m)
    expect(metrics).toMatch(/^nodejs_gc_duration_seconds_count/m)
  })

  it('has no series for a Redis that is not configured', async () => {
    const app = await listening({ DATABASE_URL: payments.databaseUrl, REDIS_URL: undefined })
    expect(app.get(Registry).getSingleMetric('redis_up')).toBeUndefined()
    await app.close()
  })
})

describe('the number of series', () => {
  it('does not grow with paths, methods, references, currencies or users', async () => {
    const { client } = payments
    const odd = async (n: number) => {
      await client.sendUnchecked('GET', `/nowhere/${n}?a=${n}`, {})
      await client.sendUnchecked('POST', `/api/payments/PAY-${n}/status`, { body: {} })
      await user.get(`PAY-${n}`)
      await client.sendUnchecked('PROPFIND', `/api/payments/${n}`, {})
      await client.sendUnchecked('REPORT', `/nowhere/${n}`, {})
    }
    // Wait for the totals of earlier payments, because they add series too.
    await until(async () => {
      const [row] = await payments.sql<{ events: number }>(
        'SELECT count(*)::integer AS events FROM payment_events',
      )
      const totals = (await series()).filter((line) => line.startsWith('payments_entered_total'))
      const entered = totals.map((line) => Number(line.split(' ').at(-1)))
      return entered.reduce((sum, value) => sum + value, 0) === row?.events
    })
    // The clock is read every 10 s, for the first time perhaps during this test.
    await until(async () => (await series()).some((line) => line.includes('clock_read')))
    await odd(0)
    const before = new Set((await series()).map(nameOf))
    for (let n = 1; n <= 200; n++) await odd(n)
    const grown = (await series())
      .map(nameOf)
      .filter((name) => !before.has(name) && !name.startsWith('nodejs_'))
    expect(grown).toEqual([])
  }, 60_000)

  it('stays below the bound in docs/metrics.md', async () => {
    expect((await series()).length).toBeLessThan(2_000)
  })

  it('has no label with a reference, phone, email or user', async () => {
    const reference = await newPayment(user, 'PENDING', 'SUCCESS')
    const [row] = await payments.sql<{ owner: string }>(
      'SELECT owner_id AS owner FROM payments WHERE reference = $1',
      reference,
    )
    const metrics = await text()
    const secrets = [reference, row?.owner ?? '?', '256772123456', 'amina@example.com']
    for (const secret of secrets) expect(metrics).not.toContain(secret)
  })
})

/** A series without its value. */
function nameOf(line: string): string {
  return line.slice(0, line.lastIndexOf(' '))
}
