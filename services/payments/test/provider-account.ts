import type { ProviderAccount } from '../src/providers/accounts.js'

/** An active account of MTN Uganda, for every merchant. */
export const MTN_UGANDA: ProviderAccount = {
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
  phonePrefixes: ['+25677', '+25678'],
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
  credentialFiles: [],
  settings: {},
}
