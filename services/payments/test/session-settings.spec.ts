import { hash } from 'node:crypto'
import { runToEnd } from '@malipo/local/process'
import { describeSettings } from '@malipo/testing/session-settings'
import { newUser } from './auth.js'
import { environment, type Payments, startPayments } from './payments.js'
import { as, fromProvider, newPayment, webhookBody } from './requests.js'
import { until } from '@malipo/testing/until'

/** The service's answers don't depend on the settings of its role. */

/** The uses of the service that read or write the database. @returns what it answered */
async function life(payments: Payments) {
  const owner = await newUser()
  const user = as(owner, payments)
  const answers: unknown[] = []
  const add = ({ status, headers, body }: { status: number; headers: Headers; body: unknown }) => {
    answers.push([status, headers.get('etag'), headers.get('idempotent-replayed'), body])
  }
  const metadata = { note: "it's 'quoted' \\ and escaped \\n", z: '1', a: '2' }
  const input = { amount: '999999999999.00', currency: 'USD', metadata, description: 'a \\ b' }
  const key = { 'idempotency-key': 'key \\ 1' }
  const created = await user.create(input, key)
  add(created)
  add(await user.create(input, key))
  add(await user.create({ ...input, amount: '1.00' }, key))
  const { reference, createdAt } = created.body as { reference: string; createdAt: string }
  add(await user.get(reference))
  add(await user.move(reference, 'PENDING', { 'if-match': '"7"' }))
  add(await user.move(reference, 'PENDING', { 'if-match': '"1"' }, { reason: 'a \\ b' }))

  const body = webhookBody(reference, 'SUCCESS', { webhookId: 'evt-1', more: '\\x00' })
  add(await fromProvider(payments, { ...body, timestamp: '0001-02-03T04:05:06.789+05:45' }))
  add(await fromProvider(payments, { ...body, timestamp: '0001-02-03T04:05:06.789+05:45' }))
  add(await fromProvider(payments, { ...body, status: 'FAILED' }))
  add(await fromProvider(payments, webhookBody(reference, 'PENDING', { webhookId: 'evt-2' })))
  add(await user.webhook(webhookBody(reference, 'SUCCESS', { webhookId: 'evt-3' })))
  add(await user.get(reference))
  add(await user.events(reference))

  for (let i = 0; i < 4; i++) await newPayment(user, 'PENDING')
  add(await user.list('?limit=100'))
  answers.push(await pages(user))
  const times = `createdFrom=${createdAt}&createdTo=${createdAt.replace(/\d{4}-/, '2999-')}`
  add(await user.list(`?${times}&status=SUCCESS&currency=USD&customerPhone=%2B256772123456`))
  add(await user.list(`?createdTo=${createdAt}`))
  return answers
}

/** Whether the pages of a list are parts of the whole list, in its order. */
async function pages(user: ReturnType<typeof as>) {
  const references = (data: { reference: string }[]) => data.map(({ reference }) => reference)
  const all = references((await user.list('?limit=100')).body.data)
  const found: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body } = await user.list(`?limit=2${cursor && `&cursor=${cursor}`}`)
    found.push(...references(body.data))
    cursor = body.nextCursor
  }
  return { count: found.length, isWhole: found.join() === all.join() }
}

/** The commands on stored messages, whose signatures cover the stored bytes. */
async function commands(url: string) {
  const env = environment({ DATABASE_URL: url })
  const run = (...args: string[]) =>
    runToEnd({ name: 'payments', script: 'cli/messages', args, env })
  const from = ['--from', '2020-01-01T00:00:00Z', '--to', '2999-01-01T00:00:00Z']
  const exported = (await run('export', ...from)).split('\n').map((line) => JSON.parse(line))
  const verified = (await run('verify')).split('\n').map((line) => line.replace(/"PAY-.*?"/, ''))
  // The bytes contain the reference, which differs.
  const messages = exported.map(({ body, bodyHash, headers, reading, ...rest }) => {
    const isHash = bodyHash === hash('sha256', Buffer.from(body as string, 'base64'))
    return { ...rest, isHash, hasHeaders: headers !== null, status: reading.status }
  })
  return { messages, verified, keys: await run('keys') }
}

/** The metrics that come from the database, after every event was counted, and those of failed workers. */
async function metrics(payments: Payments) {
  const pending = 'payments_entered_total{status="PENDING",method="MOBILE_MONEY",currency="UGX"}'
  await until(async () => (await payments.metric(pending)) === 4)
  const { body } = await payments.client.get('/metrics')
  return String(body)
    .split('\n')
    .filter((line) =>
      /^(payments_entered|payments_open\{|payment_totals_lag|worker_runs.*"failed"\} [1-9])/.test(
        line,
      ),
    )
    .sort()
}

describeSettings({
  name: 'payments',
  answersOn: async (databaseUrl) => {
    const payments = await startPayments({ DATABASE_URL: databaseUrl })
    try {
      const answers = await life(payments)
      return { answers, metrics: await metrics(payments), commands: await commands(databaseUrl) }
    } finally {
      await payments.close()
    }
  },
  failuresIn: ({ answers, metrics: lines, commands: { messages } }) => {
    const serverErrors = answers.filter((answer) => Number((answer as unknown[])[0]) >= 500)
    const failed = lines.filter((line) => line.startsWith('worker_runs'))
    const wrongCount = messages.length === 4 ? [] : [`${messages.length} messages instead of 4`]
    return [...serverErrors, ...failed, ...wrongCount]
  },
})
