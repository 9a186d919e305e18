import { randomUUID } from 'node:crypto'
import { freshDatabase } from '@malipo/testing/database'
import { until } from '@malipo/testing/until'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDeliveryCounts } from '../src/deliveries/delivery-counts.store.js'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { migrate, startPayments } from './payments.js'
import { runOn } from './payments-database.js'
import { startReceiver, status } from './receiver.js'
import { as, newPayment } from './requests.js'

/** The metrics from which the alerts and the dashboard of notifications are made. */

describe('the counts of the database', () => {
  let client: Client
  beforeAll(async () => {
    const url = await freshDatabase('payments')
    await migrate(url)
    client = new Client({ connectionString: url })
    await client.connect()
  })
  afterAll(() => client.end())

  /** Creates an endpoint, with work by the offset of its due time in seconds. A lease makes it under way. */
  async function endpoint(
    { state = 'enabled', reason = null as string | null, failures = 0, failingHours = 0 },
    work: readonly { seconds: number; leased?: boolean }[] = [],
    owner: string = randomUUID(),
  ) {
    const id = randomUUID()
    await client.query(
      `INSERT INTO webhook_endpoints
         (id, owner_id, url, events, state, disabled_reason, created_at, updated_at, version)
       VALUES ($1, $2, 'https://merchant.example', '{*}', $3, $4, now(), now(), 1)`,
      [id, owner, state, reason],
    )
    await client.query(
      `UPDATE webhook_endpoint_health
       SET failures = $2,
         failing_since = CASE WHEN $3::integer > 0 THEN now() - make_interval(hours => $3) END
       WHERE endpoint_id = $1`,
      [id, failures, failingHours],
    )
    for (const { seconds, leased = false } of work) {
      await client.query(
        `INSERT INTO delivery_work (delivery_id, endpoint_id, due_at, lease_id)
         VALUES (gen_random_uuid(), $1, now() + make_interval(secs => $2), $3)`,
        [id, seconds, leased ? randomUUID() : null],
      )
    }
    return owner
  }

  const counts = async () => {
    const { pending, oldestDue, endpoints, failing } = await readDeliveryCounts(runOn(client))
    return {
      pending: Object.fromEntries(pending.map(({ state, count }) => [state, count])),
      oldestDue: Object.fromEntries(
        oldestDue.map(({ endpoints, seconds }) => [endpoints, Math.floor(Number(seconds) / 10)]),
      ),
      endpoints: Object.fromEntries(endpoints.map(({ state, count }) => [state, count])),
      failing,
    }
  }

  it('are zero without endpoints', async () => {
    expect(await counts()).toEqual({
      pending: {},
      oldestDue: {},
      endpoints: { enabled: 0, disabled_by_merchant: 0, disabled_gone: 0, disabled_failing: 0 },
      failing: { closed: 0, open: 0, merchants: 0 },
    })
  })

  it('separate what is late from what waits for a merchant', async () => {
    await endpoint({}, [{ seconds: -305 }, { seconds: -5 }, { seconds: 600 }])
    await endpoint({}, [{ seconds: -905 }, { seconds: 40, leased: true }])
    // The lease of a replica that has crashed.
    await endpoint({}, [{ seconds: -105, leased: true }])
    const owner = await endpoint({ failures: 5, failingHours: 2 }, [
      { seconds: -90_000 },
      { seconds: 60 },
      { seconds: 40, leased: true },
    ])
    await endpoint({ failures: 1, failingHours: 1 }, [{ seconds: 300 }], owner)
    await endpoint({ failures: 9, failingHours: 100 })
    await endpoint({ state: 'disabled', reason: 'merchant' }, [{ seconds: -90_000 }])
    await endpoint({ state: 'disabled', reason: 'failing', failures: 90, failingHours: 121 }, [
      { seconds: -90_000 },
      { seconds: 90 },
    ])
    await endpoint({ state: 'disabled', reason: 'gone', failures: 0, failingHours: 3 })
    await endpoint({ state: 'deleted', failures: 7, failingHours: 1 }, [{ seconds: -90_000 }])
    expect(await counts()).toEqual({
      pending: { due: 4, under_way: 2, scheduled: 3, paused: 1, disabled: 3 },
      oldestDue: { idle: 30, busy: 90 },
      endpoints: { enabled: 6, disabled_by_merchant: 1, disabled_gone: 1, disabled_failing: 1 },
      failing: { closed: 1, open: 2, merchants: 1 },
    })
  })
})

describe('a replica', () => {
  it('reports counts and tries, without a URL or the id of a merchant or an endpoint', async () => {
    const payments = await startPayments({
      WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
      PROVIDER_TIME_SCALE: '0.01',
    })
    const receiver = await startReceiver()
    const owner = await newUser()
    const merchant = endpointsOf(owner, payments)
    const user = as(owner, payments)
    const text = async () => String((await payments.client.get('/metrics')).body)
    const tries = (outcome: string) => payments.metric(`delivery_tries_total{outcome="${outcome}"}`)

    const up = await newEndpoint(merchant, { url: receiver.url, events: ['payment.*'] })
    await newPayment(user, 'PENDING')
    await until(async () => (await tries('delivered')) === 1)
    expect(await payments.metric('delivery_lag_seconds_count')).toBe(1)
    const namesOf = (metrics: string) =>
      metrics.match(/^(deliver|webhook_(endpoint|merchant))[^ ]*/gm)?.toSorted()
    await until(async () => (await text()).includes('webhook_merchants_failing 0'))
    const names = namesOf(await text())
    for (let n = 0; n < 3; n++) {
      await newEndpoint(merchant, { url: `${receiver.url}/${n}`, events: ['payment.failed'] })
    }
    receiver.respond = status(500)
    await newPayment(user, 'PENDING')
    await until(async () => (await tries('rejected')) > 0)
    receiver.respond = (response) => response.destroy()
    const resets = () => payments.metric('delivery_try_failures_total{error="reset"}')
    await until(async () => (await resets()) > 0)
    const isFailing = async () =>
      (await payments.metric('webhook_merchants_failing')) === 1 &&
      (await payments.metric('webhook_endpoints{state="enabled"}')) === 4
    await until(isFailing)

    await payments.sql(`UPDATE webhook_endpoint_secrets SET key_id = 'lost'`)
    const work = 'UPDATE delivery_work SET due_at = now() WHERE lease_id IS NULL'
    await until(async () => {
      await payments.sql('UPDATE webhook_endpoint_health SET open_until = now()')
      await payments.sql(work)
      return (await tries('unsigned')) > 0
    })

    const metrics = await text()
    expect(namesOf(metrics)).toEqual(names)
    for (const line of [
      'deliveries_pending{state="paused"}',
      'deliveries_oldest_due_seconds{endpoints="idle"} 0',
      'deliveries_oldest_due_seconds{endpoints="busy"} 0',
      'webhook_endpoints{state="disabled_failing"} 0',
      'webhook_endpoints_failing{circuit="open"}',
    ]) {
      expect(metrics).toContain(line)
    }
    for (const secret of [up.id, up.secret, owner.id, new URL(receiver.url).port, '127.0.0.1']) {
      expect(metrics).not.toContain(secret)
    }
    await Promise.all([payments.close(), receiver.close()])
  }, 60_000)
})
