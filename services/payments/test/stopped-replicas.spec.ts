import { mkdtempSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { freshDatabase, query } from '@malipo/testing/database'
import { expect, it, type TestContext, vi } from 'vitest'
import { newUser } from './auth.js'
import { environment, migrate } from './payments.js'
import { fileIn, providersFile } from './provider-stage.js'
import { as } from './requests.js'

/** Replicas that stop or die between a claim and its answer: no request for money is sent twice. */

/** The shortest lease of a request for money: its timeout of 30 s, and PROVIDER_LEASE_SECONDS. */
const LEASE_MS = 31_000
const LIMIT_MS = 150_000

/** A payment process whose provider is this server, and what starts others on the same database. */
async function stageWith(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url?.replace(/[^/]{36,}$/, ':reference')}`)
    handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const folder = mkdtempSync(join(tmpdir(), 'malipo-stopped-'))
  const databaseUrl = await freshDatabase('payments')
  await migrate(databaseUrl)
  const env = environment({
    DATABASE_URL: databaseUrl,
    PROVIDERS_FILE: providersFile(folder, `http://127.0.0.1:${port}`),
    PROVIDER_TIME_SCALE: '0.01',
    PROVIDER_LEASE_SECONDS: '1',
    PROVIDER_SEND_SECONDS: '10',
  })
  const start = async () => {
    const service = await startService({ name: 'payments', env })
    onTestFinished(async () => void (await service.kill()))
    return service
  }
  const attempt = async () => {
    const text =
      'SELECT state, sent_at, lease_id FROM payment_attempts, attempt_work WHERE attempt_id = id'
    const [row] = await query<{ state: string }>(databaseUrl, text)
    return row
  }
  const causes = () =>
    query<{ to_state: string; cause: string }>(
      databaseUrl,
      'SELECT to_state, cause FROM attempt_events ORDER BY version',
    )
  return {
    start,
    attempt,
    causes,
    count: (call: string) => seen.filter((each) => each === call).length,
  }
}

const soon = (condition: () => unknown) =>
  vi.waitUntil(condition, { timeout: LIMIT_MS, interval: 50 })

it.concurrent(
  'R17: a replica that was suspended between its claim and the first byte sends nothing',
  async (test) => {
    let suspended = 0
    const stage = await stageWith(test, (request, response) => {
      if (request.url === '/collection/token/') {
        // The first grant is for the request for money. The replica reads its answer when it continues.
        if (suspended === 0) process.kill((suspended = first.pid), 'SIGSTOP')
        response.setHeader('content-type', 'application/json')
        response.end('{"access_token":"t","token_type":"access_token","expires_in":3600}')
      } else if (request.method === 'POST') response.writeHead(202).end()
      else response.writeHead(404).end('{"code":"RESOURCE_NOT_FOUND"}')
    })
    const first = await stage.start()
    const user = as(await newUser(), { client: new Client(first.url) })
    const created = user.create({ provider: 'mtn-ug', customerPhone: '+256772900000' })
    await soon(() => suspended > 0)
    const suspendedAt = Date.now()
    await stage.start()
    await soon(() => stage.count('GET /collection/v1_0/requesttopay/:reference') > 0)
    expect(Date.now() - suspendedAt).toBeGreaterThan(LEASE_MS - 5_000)
    expect(await stage.attempt()).toMatchObject({
      state: expect.stringMatching(/^(sending|in_doubt)$/),
    })
    process.kill(first.pid, 'SIGCONT')
    expect((await created).status).toBe(201)
    const sent = () => stage.count('POST /collection/v1_0/requesttopay')
    const metrics = async () => String((await new Client(first.url).get('/metrics')).body)
    const isReturned = async () =>
      (await metrics()).includes('attempt_leases_total{result="returned"} 1\n')
    await soon(async () => sent() > 0 || (await isReturned()))
    // Both replicas continue with queries, and neither sends.
    await sleep(2_000)
    expect(sent()).toBe(0)
    expect(await stage.attempt()).toMatchObject({ state: 'in_doubt' })
  },
  LIMIT_MS,
)

it.concurrent(
  'R17: after a replica died during a request for money, another one queries and does not send',
  async (test) => {
    const simulator = await startService({
      name: 'simulator',
      env: {
        MODE: 'sandbox',
        ACCOUNTS_FILE: simulatedAccounts(),
        BOOK_FILE: join(mkdtempSync(join(tmpdir(), 'malipo-book-')), 'book.jsonl'),
        TIME_SCALE: '0.01',
      },
    })
    test.onTestFinished(async () => void (await simulator.stop()))
    let isDead = false
    const stage = await stageWith(test, async (request, response) => {
      const { method, url, headers } = request
      const body = method === 'POST' ? await buffer(request) : undefined
      const { authorization = '' } = headers
      const answer = await fetch(`${simulator.url}${url}`, {
        method,
        headers: { authorization, 'content-type': 'application/json' },
        body,
      })
      const text = await answer.text()
      // The answer to the request for money is lost with its sender.
      if (method === 'POST') isDead = (await first.kill()) > 0
      else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
    })
    const first = await stage.start()
    const user = await newUser()
    const request = { provider: 'acme', customerPhone: '+256772900000' }
    const created = await as(user, { client: new Client(first.url) }).create(request)
    expect(created.status).toBe(201)
    await soon(() => isDead)
    const second = await stage.start()
    const { get } = as(user, { client: new Client(second.url) })
    expect(await stage.attempt()).toMatchObject({ state: 'sending' })
    await soon(async () => (await get(created.body.reference)).body.status === 'SUCCESS')
    expect(stage.count('POST /charges')).toBe(1)
    expect(stage.count('GET /charges/:reference')).toBeGreaterThan(0)
    const causes = await stage.causes()
    expect(causes.at(0)).toEqual({ to_state: 'sending', cause: 'claim' })
    expect(causes.at(-1)).toEqual({ to_state: 'succeeded', cause: 'query' })
    expect(causes.slice(1).map(({ cause }) => cause)).not.toContain('response')
  },
  LIMIT_MS,
)

function simulatedAccounts(): string {
  const accounts = { standard: [{ name: 'acme', apiKey: 'acme-key', currency: 'UGX' }] }
  return fileIn(
    mkdtempSync(join(tmpdir(), 'malipo-simulated-')),
    'accounts.json',
    JSON.stringify(accounts),
  )
}
