import { randomUUID } from 'node:crypto'
import { overloaded } from '@malipo/kit/http/problem'
import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AIRTEL_URL,
  airtelCallback,
  attemptUrl,
  type CallbackStage,
  keysFile,
  NEW_KEY,
  OLD_KEY,
  startCallbacks,
  unsignedCallback,
} from './callback-stage.js'

/** The routes of callbacks, and what is stored of them. */

const keys = keysFile(NEW_KEY, OLD_KEY)
let stage: CallbackStage
beforeAll(async () => void (stage = await startCallbacks({ CALLBACK_KEYS_FILE: keys.path })))
afterAll(() => stage.close())

const send = (path: string, body: unknown = '{}', method = 'POST', headers = {}) =>
  stage.client.send(method, path, { body, headers })

const last = async () => (await stage.messages()).at(-1)

/** How much a counter grows while `work` runs. */
async function growth(account: string, outcome: string, work: () => Promise<unknown>) {
  const before = await stage.count(account, outcome)
  await work()
  return (await stage.count(account, outcome)) - before
}

describe('the URL of an attempt', () => {
  it.each(['POST', 'PUT'])('stores what %s sends, and answers without a body', async (method) => {
    const { id } = await stage.addAttempt('mtn-ug')
    const body = '{"financialTransactionId":"1","status":"SUCCESSFUL", "amount": "5000.0"}'
    const stored = await growth('mtn-ug', 'stored', async () => {
      const answer = await send(attemptUrl('mtn-ug', id), body, method, { 'x-mtn': 'a' })
      expect([answer.status, answer.body, answer.headers.get('content-type')]).toEqual([
        200,
        '',
        null,
      ])
    })
    expect(stored).toBe(1)
    expect(await last()).toMatchObject({
      account: 'mtn-ug',
      attemptId: id,
      headers: { 'content-type': 'application/json', 'x-mtn': 'a' },
      bytes: Buffer.from(body),
      reading: { verdict: 'unsigned', reading: { kind: expect.any(String) } },
    })
  })

  it('stores a repetition once, and counts it', async () => {
    const { id } = await stage.addAttempt('mtn-ug')
    const path = attemptUrl('mtn-ug', id)
    await send(path, '{"once":1}')
    const repeated = await growth('mtn-ug', 'repeated', () => send(path, '{"once":1}'))
    expect([repeated, (await last())?.times]).toEqual([1, 2])
  })

  it('stores a callback of an attempt that the database lacks', async () => {
    const body = `{"of":"${randomUUID()}"}`
    const parked = await growth('mtn-ug', 'parked', async () => {
      expect((await send(attemptUrl('mtn-ug'), body)).status).toBe(200)
    })
    expect([parked, (await last())?.bytes.toString()]).toEqual([1, body])
  })

  it('R3: stores what an adapter can’t read, even if it throws', async () => {
    const { id } = await stage.addAttempt('broken')
    expect((await send(attemptUrl('broken', id), 'x')).status).toBe(200)
    expect(await last()).toMatchObject({ account: 'broken', reading: { verdict: 'unsigned' } })
    expect(stage.lines.join('')).toContain('the adapter failed to read a callback')
  })

  it('answers with the JSON that the provider expects', async () => {
    const options = { body: '{}', headers: {} }
    const answer = await stage.client.sendUnchecked('POST', attemptUrl('json'), options)
    expect([answer.status, answer.body]).toEqual([200, { ResultCode: 0 }])
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  })

  it('accepts query parameters', async () => {
    expect((await send(`${attemptUrl('mtn-ug')}?a=1&b`)).status).toBe(200)
  })

  it('answers 200 after the limit of different callbacks, and stores no more', async () => {
    const { id } = await stage.addAttempt('mtn-ug')
    const statuses = []
    for (let i = 0; i < 22; i++) {
      statuses.push((await send(attemptUrl('mtn-ug', id), `{"i":${i}}`)).status)
    }
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(await stage.messages(id)).toHaveLength(20)
    expect(await stage.count('mtn-ug', 'too_many')).toBe(2)
  })

  it('passes the store’s 503 on', async () => {
    const { work } = stage.store
    stage.store.work = () => Promise.reject(overloaded())
    const { status, headers } = await send(attemptUrl('mtn-ug'))
    stage.store.work = work
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
  })
})

describe('a URL that is not one of a callback', () => {
  const id = randomUUID()
  it.each([
    [
      'another nonce',
      `/api/payments/webhook/mtn-ug/${id}/${'a'.repeat(22)}`,
      'mtn-ug',
      'bad_nonce',
    ],
    ['no nonce', `/api/payments/webhook/mtn-ug/${id}/1`, 'mtn-ug', 'bad_nonce'],
    ['no id', '/api/payments/webhook/mtn-ug/PAY-1/1', 'mtn-ug', 'bad_nonce'],
    ['an unknown key', attemptUrl('mtn-ug', id, 'x'.repeat(32)), 'mtn-ug', 'bad_nonce'],
    [
      'the nonce of another account',
      attemptUrl('json', id).replace('json', 'mtn-ug'),
      'mtn-ug',
      'bad_nonce',
    ],
    ['a signed account', attemptUrl('airtel-ug', id), 'airtel-ug', 'wrong_url'],
    ['an account of attempts', '/api/payments/webhook/mtn-ug', 'mtn-ug', 'wrong_url'],
    ['an account of webhooks', attemptUrl('acme', id), 'acme', 'wrong_url'],
    ['an unknown account', attemptUrl('mtn-ke', id), '(unknown)', 'unknown_account'],
    ['an unknown account', '/api/payments/webhook/mtn-ke', '(unknown)', 'unknown_account'],
    ['no account', '/api/payments/webhook/%00', '(unknown)', 'unknown_account'],
    ['a name of objects', '/api/payments/webhook/__proto__', '(unknown)', 'unknown_account'],
  ])('with %s is 404 and counted, and reaches no store', async (_, path, account, outcome) => {
    const before = stage.store.calls
    const counted = await growth(account, outcome, async () => {
      const { status, body } = await send(path)
      expect(status).toBe(404)
      expect(body).toMatchObject({
        type: '/problems/not-found',
        detail: 'No callback is expected here.',
      })
    })
    expect([counted, stage.store.calls]).toEqual([1, before])
  })

  it('creates no series of metrics', async () => {
    const name = `a${randomUUID()}`
    await send(attemptUrl(name))
    expect((await stage.client.get('/metrics')).body).not.toContain(name)
  })

  it.each(['GET', 'HEAD', 'DELETE', 'PATCH'])('by %s is 405', async (method) => {
    const { status, headers } = await fetch(stage.client.url + attemptUrl('mtn-ug'), { method })
    expect([status, headers.get('allow')]).toEqual([405, 'POST, PUT'])
  })

  it('by GET to the URL of an account is 405', async () => {
    const { status, headers } = await stage.client.get(AIRTEL_URL)
    expect([status, headers.get('allow')]).toEqual([405, 'POST'])
  })
})

describe('the URL of an account', () => {
  it('stores a signed callback of a known attempt, and applies it after the answer', async () => {
    const { id, reference } = await stage.addAttempt('airtel-ug')
    const applied = Promise.withResolvers<void>()
    stage.store.application = () => applied.promise
    const before = stage.store.applied.length
    expect((await send(AIRTEL_URL, airtelCallback(reference))).status).toBe(200)
    expect(await last()).toMatchObject({ attemptId: id, reading: { verdict: 'signed', reference } })
    expect(stage.store.applied).toHaveLength(before)
    applied.resolve()
    await until(() => stage.store.applied.length === before + 1)
    expect(stage.store.applied.at(-1)).toMatchObject({
      reading: { reading: { kind: 'succeeded' } },
    })
    // The first application may have failed.
    await send(AIRTEL_URL, airtelCallback(reference))
    await until(() => stage.store.applied.length === before + 2)
  })

  it('answers a signed callback although its application fails, and logs that once', async () => {
    const { reference } = await stage.addAttempt('airtel-ug')
    stage.store.application = () => Promise.reject(new Error('the database is down'))
    for (let i = 0; i < 3; i++) {
      expect((await send(AIRTEL_URL, airtelCallback(reference))).status).toBe(200)
    }
    const logged = () => stage.lines.filter((line) => line.includes('the database is down'))
    await until(() => logged().length > 0)
    stage.store.application = async () => undefined
    expect(logged()).toHaveLength(1)
  })

  it('parks a signed callback of no known attempt', async () => {
    const reference = randomUUID()
    const parked = await growth('airtel-ug', 'parked', async () => {
      expect((await send(AIRTEL_URL, airtelCallback(reference))).status).toBe(200)
    })
    expect([parked, (await last())?.attemptId]).toEqual([1, null])
  })

  it.each([
    ['unsigned', unsignedCallback],
    ['invalid', (reference: string) => airtelCallback(reference, 'another key')],
  ])('stores an %s callback of an open attempt, and does not apply it', async (verdict, bodyOf) => {
    const { id, reference } = await stage.addAttempt('airtel-ug')
    const before = stage.store.applied.length
    const stored = await growth('airtel-ug', 'stored', async () => {
      expect((await send(AIRTEL_URL, bodyOf(reference))).status).toBe(200)
    })
    expect(stored).toBe(1)
    expect(await last()).toMatchObject({ attemptId: id, reading: { verdict, reference } })
    expect(stage.store.applied).toHaveLength(before)
  })

  it.each([
    ['an unsigned one', 'unknown_attempt', unsignedCallback],
    ['one with a wrong signature', 'bad_signature', (of: string) => airtelCallback(of, 'other')],
    ['one of another shape', 'unknown_attempt', () => '[]'],
  ])('answers %s that names no open attempt with 404', async (_, outcome, bodyOf) => {
    const { reference } = await stage.addAttempt('airtel-ug', false)
    const before = (await stage.messages()).length
    const counted = await growth('airtel-ug', outcome, async () => {
      expect((await send(AIRTEL_URL, bodyOf(reference))).status).toBe(404)
      expect((await send(AIRTEL_URL, bodyOf(randomUUID()))).status).toBe(404)
    })
    expect([counted, (await stage.messages()).length]).toEqual([2, before])
  })
})

it('a new key is read while the service runs, and an old one is accepted until it is removed', async () => {
  const third = 'a third key of callback URLs, of 32 bytes or more'
  expect((await send(attemptUrl('mtn-ug', randomUUID(), OLD_KEY))).status).toBe(200)
  expect((await send(attemptUrl('mtn-ug', randomUUID(), third))).status).toBe(404)
  keys.write(third, NEW_KEY)
  await until(async () => (await send(attemptUrl('mtn-ug', randomUUID(), third))).status === 200)
  expect((await send(attemptUrl('mtn-ug', randomUUID(), NEW_KEY))).status).toBe(200)
  expect((await send(attemptUrl('mtn-ug', randomUUID(), OLD_KEY))).status).toBe(404)
})
