import { describe, expect, it } from 'vitest'
import { answerOf, jsonOf } from '../../../test/conformance/provider-answers.js'
import { mtnMomo } from './mtn-momo.js'

const SUBSCRIPTION_KEY = '0123456789abcdef0123456789abcdef'

const account = { name: 'mtn-ug', mode: 'live' as const, country: 'UG', currency: 'UGX', digits: 0 }

const HTML = '<html><body>502 Bad Gateway</body></html>'

describe('settings', () => {
  it.each([
    [{ targetEnvironment: 'mtnuganda' }, account, []],
    [{}, account, ['targetEnvironment']],
    [{ targetEnvironment: 'MTN Uganda' }, account, ['targetEnvironment']],
    [{ targetEnvironment: 'sandbox' }, account, ['targetEnvironment', 'targetEnvironment']],
    [{ targetEnvironment: 'mtnuganda', hots: 1 }, account, ['hots']],
    [
      { targetEnvironment: 'sandbox' },
      { ...account, mode: 'sandbox' as const, currency: 'EUR' },
      [],
    ],
    [['mtnuganda'], account, ['', 'targetEnvironment']],
  ])('R11: %j: the faults name their place', (given, facts, places) => {
    const parsed = mtnMomo.parseSettings(given, facts)
    expect('faults' in parsed ? parsed.faults.map(({ at }) => at) : []).toEqual(places)
  })
})

describe('the token', () => {
  const context = (credentials: Record<string, string>) => ({
    account: { ...account, settings: { targetEnvironment: 'mtnuganda' } },
    credentials,
    grants: {},
    now: new Date(0),
    random: new Uint8Array(64),
  })
  const { token } = mtnMomo.grants ?? {}

  it.each([
    ['legacy', '68bf7ee0-b2c6-4d61-b6c1-61e19ef3c1a2', 'f1db798c98df4bcf83b538175893bbf0'],
    ['new', 'bWFsaXBvLXVnYW5kYQ==', 'p%=:/+!~#Z9'],
  ])('is requested with the raw credentials of the %s platform', (_platform, userId, apiKey) => {
    const credentials = { userId, apiKey, subscriptionKey: SUBSCRIPTION_KEY }
    const request = token?.request(context(credentials))
    const [, encoded = ''] = /^Basic (\S+)$/.exec(request?.headers.authorization ?? '') ?? []
    expect(Buffer.from(encoded, 'base64').toString()).toBe(`${userId}:${apiKey}`)
    expect(request).toMatchObject({ method: 'POST', path: '/collection/token/' })
    expect(request?.headers['x-target-environment']).toBe('mtnuganda')
    expect(request?.body).toHaveLength(0)
  })

  it.each([
    ['a number', 3600, 3600],
    ['a string', '180', 180],
    ['absent', undefined, 60],
    ['no number', 'soon', 60],
    ['negative', -1, 60],
    ['huge', 1e300, 86_400],
  ])('R14: has a lifetime also if expires_in is %s', (_form, expires_in, lifetimeSeconds) => {
    const body = jsonOf({ access_token: 'eyJ.e30.c', token_type: 'access_token', expires_in })
    expect(token?.read(answerOf(200, body))).toEqual({
      kind: 'granted',
      value: 'eyJ.e30.c',
      lifetimeSeconds,
    })
  })

  it.each([
    [401, '{"error":"login_failed"}', { kind: 'refused', providerCode: 'login_failed' }],
    [400, '{"error":"invalid_client"}', { kind: 'refused', providerCode: 'invalid_client' }],
    [500, '{"error":"login_failed"}', { kind: 'unavailable' }],
    [503, HTML, { kind: 'unavailable' }],
    [200, '{"access_token":"a\\r\\nb: c"}', { kind: 'unavailable' }],
  ])('R14: %i %s', (status, body, reading) => {
    expect(token?.read(answerOf(status, body))).toMatchObject(reading)
  })
})

describe('requests', () => {
  it('leave the callback header out without a callback URL, because MTN rejects an empty one', () => {
    const charge = {
      reference: 'r',
      paymentReference: 'PAY-1',
      amount: '5000',
      currency: 'UGX',
      payer: '256772123456',
      text: 'Payment',
    }
    const context = {
      account: { ...account, settings: { targetEnvironment: 'mtnuganda' } },
      credentials: { subscriptionKey: SUBSCRIPTION_KEY },
      grants: { token: 'abc' },
      now: new Date(0),
      random: new Uint8Array(64),
    }
    expect(mtnMomo.initiate?.request(charge, context).headers).not.toHaveProperty('x-callback-url')
    const called = mtnMomo.initiate?.request(
      { ...charge, callbackUrl: 'https://a.example' },
      context,
    )
    expect(called?.headers['x-callback-url']).toBe('https://a.example')
  })

  it('R20: are followed by queries after 10 s, 30 s, 1, 2 and 5 min, then 1.5 times as long', () => {
    expect(mtnMomo.query?.scheduleSeconds.slice(0, 8)).toEqual([
      10, 30, 60, 120, 300, 450, 675, 1013,
    ])
  })
})
