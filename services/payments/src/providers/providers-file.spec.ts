import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { faultText, parseProviders } from './providers-file.js'
import { ADAPTERS } from './registry.js'

/** The names of the adapters of which a file has accounts. */
const WITH_ACCOUNTS = ADAPTERS.map(({ name }) => name).filter((name) => name !== 'manual')

const MERCHANT = '0197f0a0-0000-7000-8000-000000000001'

const mtn = {
  name: 'mtn-ug',
  adapter: 'mtn-momo',
  mode: 'live',
  baseUrl: 'https://momoapi.momo.africa',
  country: 'UG',
  currency: 'UGX',
  merchants: ['*'],
  limits: { min: '500', max: 5_000_000, rate: 10, pollRate: 10 },
  credentials: {
    subscriptionKeyFile: '/run/secrets/mtn/subscription-key',
    userIdFile: '/run/secrets/mtn/user-id',
    apiKeyFile: '/run/secrets/mtn/api-key',
  },
  settings: { targetEnvironment: 'mtnuganda' },
}

const parseFile = (text: string, mode: 'sandbox' | 'live' = 'live') =>
  parseProviders(text, mode, ADAPTERS)
const read = (file: unknown, mode?: 'sandbox' | 'live') => parseFile(stringify(file), mode)
const withAccount = (fields: object, mode?: 'sandbox' | 'live') =>
  read({ accounts: [{ ...mtn, ...fields }] }, mode)
const faultsOf = (parsed: ReturnType<typeof read>) =>
  'faults' in parsed ? parsed.faults.map(faultText) : []
const placesOf = (parsed: ReturnType<typeof read>) =>
  'faults' in parsed ? parsed.faults.map(({ at }) => at.replace('accounts[0].', '')) : []

describe('PROVIDERS_FILE', () => {
  it('has defaults for what most accounts do not set', () => {
    expect(read({ accounts: [mtn] })).toEqual({
      value: {
        defaultProvider: 'manual',
        accounts: [
          {
            name: 'mtn-ug',
            adapter: 'mtn-momo',
            mode: 'live',
            state: 'active',
            baseUrl: 'https://momoapi.momo.africa',
            country: 'UG',
            currency: 'UGX',
            digits: 0,
            merchants: ['*'],
            phoneCountries: ['UG'],
            phonePrefixes: [],
            methods: ['MOBILE_MONEY'],
            limits: {
              minMinor: 500n,
              maxMinor: 5_000_000n,
              rate: 10,
              burst: 2,
              pollRate: 10,
              maxInFlight: 20,
            },
            timeZone: 'UTC',
            credentialFiles: [
              {
                subscriptionKey: '/run/secrets/mtn/subscription-key',
                userId: '/run/secrets/mtn/user-id',
                apiKey: '/run/secrets/mtn/api-key',
              },
            ],
            settings: { targetEnvironment: 'mtnuganda' },
          },
        ],
      },
    })
  })

  it('is valid as in the documentation', () => {
    const page = readFileSync(new URL('../../../../docs/providers.md', import.meta.url), 'utf8')
    const [, example = ''] = /```yaml\n([^]+?)```/.exec(page) ?? []
    const parsed = parseFile(example)
    expect(faultsOf(parsed)).toEqual([])
    const file = 'value' in parsed ? parsed.value : undefined
    const adapters = new Set(file?.accounts.map(({ adapter }) => adapter))
    expect([...adapters].toSorted()).toEqual(WITH_ACCOUNTS.toSorted())
    expect(file?.accounts[0]?.credentialFiles).toHaveLength(2)
  })

  it('may be empty: nothing is sent then', () => {
    const none = { value: { defaultProvider: 'manual', accounts: [] } }
    for (const text of ['', '# nothing\n', '{}', 'accounts: []', 'accounts:']) {
      expect(parseFile(text)).toEqual(none)
    }
  })

  it('reads the country NO as a string', () => {
    const { value } = { value: parse('country: NO') as { country: string } }
    expect(value.country).toBe('NO')
    const norway = { country: 'NO', currency: 'NOK', phoneCountries: ['NO'] }
    expect(withAccount({ ...norway, settings: { targetEnvironment: 'mtnnorway' } })).toHaveProperty(
      'value',
    )
  })

  it('names line and column of what is not YAML', () => {
    expect(faultsOf(parseFile('accounts:\n  - name: a\n  name: b\n'))[0]).toMatch(
      /^line 3, column \d+ must be YAML: /,
    )
    expect(faultsOf(parseFile('defaultProvider: a\ndefaultProvider: b'))[0]).toMatch(
      /^line 2, .*unique/,
    )
    expect(faultsOf(parseFile('accounts: !secret x'))[0]).toMatch(/^line 1, .*tag/)
  })

  it('rejects aliases that expand without end', () => {
    const levels = Array.from({ length: 12 }, (_, i) =>
      i === 0 ? 'l0: &l0 [x, x]' : `l${i}: &l${i} [${`*l${i - 1}, `.repeat(9)}*l${i - 1}]`,
    )
    expect(faultsOf(parseFile(levels.join('\n')))).toEqual([
      'the file must be YAML with at most 100 aliases',
    ])
  })

  it.each([
    ['name', { name: 'provider' }],
    ['name', { name: 'manual' }],
    ['name', { name: 'route' }],
    ['name', { name: 'MTN' }],
    ['name', { name: undefined }],
    ['adapter', { adapter: 'manual', credentials: undefined, settings: undefined }],
    ['adapter', { adapter: '__proto__' }],
    ['mode', { mode: 'sandbox' }],
    ['mode', { mode: 'test' }],
    ['state', { state: 'paused' }],
    ['baseUrl', { baseUrl: 'http://momoapi.momo.africa' }],
    ['baseUrl', { baseUrl: 'https://user@momoapi.momo.africa' }],
    ['baseUrl', { baseUrl: 'https://momoapi.momo.africa?a=b' }],
    ['baseUrl', { baseUrl: undefined }],
    ['country', { country: 'ug', phoneCountries: ['UG'] }],
    ['country', { country: 'ZZ', phoneCountries: ['UG'] }],
    ['currency', { currency: 'XTS', limits: { ...mtn.limits, min: 1 } }],
    ['digits', { digits: 1 }],
    ['digits', { digits: 'two' }],
    ['merchants', { merchants: [] }],
    ['merchants', { merchants: '*' }],
    ['merchants', { merchants: ['*', MERCHANT] }],
    ['merchants', { merchants: [MERCHANT, MERCHANT] }],
    ['merchants', { merchants: ['acme'] }],
    ['phoneCountries', { phoneCountries: ['Uganda'] }],
    ['phonePrefixes', { phonePrefixes: ['077'] }],
    ['methods', { methods: ['CARD'] }],
    ['callbackOrigin', { callbackOrigin: 'http://pay.example' }],
    ['callbackOrigin', { callbackOrigin: 'https://192.0.2.1' }],
    ['callbackOrigin', { callbackOrigin: 'https://[2001:db8::1]' }],
    ['callbackOrigin', { callbackOrigin: 'https://pay.example/api' }],
    ['timeZone', { timeZone: 'Kampala' }],
    ['proxyUrl', { proxyUrl: 'proxy:3128' }],
    ['caFile', { caFile: 'ca.pem' }],
    ['clientCertFile', { clientCertFile: 7 }],
    ['credentials.apiKeyFile', { credentials: { ...mtn.credentials, apiKeyFile: 'secret' } }],
    ['credentials.apiKey', { credentials: { ...mtn.credentials, apiKey: 'f1db' } }],
    ['credentials', { credentials: [mtn.credentials, mtn.credentials, mtn.credentials] }],
    [
      'credentials[1].apiKeyFile',
      { credentials: [mtn.credentials, { ...mtn.credentials, apiKeyFile: 1 }] },
    ],
    ['settings.targetEnvironment', { settings: {} }],
    ['settings.targetEnvironment', { settings: undefined }],
    ['limits.min', { limits: { ...mtn.limits, min: 0 } }],
    ['limits.min', { limits: { ...mtn.limits, min: '0.5' } }],
    ['limits.max', { limits: { ...mtn.limits, max: 100 } }],
    ['limits.rate', { limits: { ...mtn.limits, rate: 1, burst: undefined } }],
    ['limits.burst', { limits: { ...mtn.limits, burst: 10 } }],
    ['limits.pollRate', { limits: { ...mtn.limits, pollRate: undefined } }],
    ['limits.maxInFlight', { limits: { ...mtn.limits, maxInFlight: 0 } }],
    ['limits.maximum', { limits: { ...mtn.limits, maximum: 5 } }],
    ['colour', { colour: 'yellow' }],
  ])('names the place of a fault: %s in %j', (place, fields) => {
    expect(placesOf(withAccount(fields))).toContain(place)
  })

  it('states what would be right, and never a value', () => {
    expect(
      faultsOf(withAccount({ limits: { ...mtn.limits, rate: 0 }, adapter: 'mtn-momo-2' })),
    ).toEqual([
      `accounts[0].adapter must be ${WITH_ACCOUNTS.join(' or ')}`,
      'accounts[0].limits.rate must be a whole number from 2 to 10000',
    ])
    const secret = 'f1db798c98df4bcf83b538175893bbf0'
    const inline = { credentials: { ...mtn.credentials, apiKeyFile: secret } }
    expect(faultsOf(withAccount(inline)).join()).not.toContain(secret)
  })

  it('R12: has limits that the provider can carry', () => {
    const kenya = { country: 'KE', currency: 'KES', digits: 0 }
    const limits = (min: string) => ({ ...kenya, limits: { ...mtn.limits, min } })
    expect(placesOf(withAccount(limits('10.50')))).toEqual(['limits.min'])
    expect(placesOf(withAccount(limits('10')))).toEqual([])
  })

  it('rejects two accounts with one name', () => {
    expect(faultsOf(read({ accounts: [mtn, { ...mtn, currency: 'USD' }] }))).toEqual([
      'accounts[1].name must not be that of another account',
    ])
  })

  it.each(['manual', 'route', 'mtn-ug'])('accepts %s as the default', (defaultProvider) => {
    expect(read({ defaultProvider, accounts: [mtn] })).toHaveProperty(
      'value.defaultProvider',
      defaultProvider,
    )
  })

  it.each(['mtn', 'Route', 7])('rejects %s as the default', (defaultProvider) => {
    expect(placesOf(read({ defaultProvider, accounts: [mtn] }))).toEqual(['defaultProvider'])
  })

  it('rejects a draining account as the default', () => {
    const draining = { ...mtn, state: 'draining' }
    expect(placesOf(read({ defaultProvider: 'mtn-ug', accounts: [draining] }))).toEqual([
      'defaultProvider',
    ])
  })

  it('accepts http and addresses in the sandbox', () => {
    const local = {
      mode: 'sandbox',
      baseUrl: 'http://127.0.0.1:4100/mtn/',
      callbackOrigin: 'http://127.0.0.1:4000',
    }
    expect(withAccount(local, 'sandbox')).toHaveProperty(
      'value.accounts.0',
      expect.objectContaining({
        baseUrl: 'http://127.0.0.1:4100/mtn',
        callbackOrigin: 'http://127.0.0.1:4000',
      }),
    )
  })

  it('has faults or a value, whatever the file contains', () => {
    const names = [...Object.keys(mtn), 'accounts', 'defaultProvider', '__proto__']
    const anything = fc.object({ key: fc.constantFrom(...names), maxDepth: 4 })
    fc.assert(
      fc.property(
        fc.oneof(
          anything.map((value) => stringify(value)),
          fc.string(),
        ),
        (text) => {
          const parsed = parseFile(text)
          const isEmpty = 'value' in parsed && parsed.value.accounts.length === 0
          expect(isEmpty || ('faults' in parsed && parsed.faults.length > 0)).toBe(true)
        },
      ),
    )
  })
})
