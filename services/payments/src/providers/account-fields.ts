import { isIP } from 'node:net'
import { withoutBrackets } from '@malipo/kit/config/ip-address'
import { digitsOf, isCurrency } from '../money/currencies.js'
import { parseAmount } from '../money/money.js'
import type { PaymentMethod } from '../money/payment-methods.js'
import {
  ACCOUNT_STATES,
  type AccountLimits,
  ANY_MERCHANT,
  defaultBurst,
  type ProviderAccount,
  RESERVED_NAMES,
} from './accounts.js'
import type { AccountFacts, Adapter } from './adapter.js'
import { wireAmount } from './amounts.js'
import { type Fields, type Parsed, readFields } from './fields.js'
import { isCountry } from './phone-forms.js'

/** Reads one account of PROVIDERS_FILE. */

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/
const MERCHANT = new RegExp(`^\\*$|${UUID.source}`)
const COUNTRY = /^[A-Z]{2}$/
const PATH = /^\/[^\0]+$/
const FILE = 'must be the absolute path of a file, such as /run/secrets/mtn/api-key'

/** @param mode of the service: an account of the other mode is a fault */
export function readAccount(
  given: unknown,
  mode: 'sandbox' | 'live',
  adapters: readonly Adapter[],
): Parsed<ProviderAccount> {
  const fields = readFields(given)
  const name = readName(fields)
  const adapterName = fields.text('adapter', adapterForm(adapters), `must be ${namesOf(adapters)}`)
  const adapter = adapters.find((each) => each.name === adapterName)
  const facts = readFacts(fields, name, mode)
  const account = {
    ...facts,
    adapter: adapterName,
    state: fields.oneOf('state', ACCOUNT_STATES, 'active'),
    baseUrl: readUrl(fields, 'baseUrl', facts.mode) ?? '',
    callbackOrigin: readOrigin(fields, facts.mode),
    merchants: readMerchants(fields),
    ...readPhones(fields, facts.country),
    methods: readMethods(fields, adapter),
    limits: readLimits(fields, facts),
    timeZone: readTimeZone(fields),
    proxyUrl: fields.optionalText('proxyUrl', /^https?:\/\/[^\s/?#@]+\/?$/, PROXY),
    clientCertFile: fields.optionalText('clientCertFile', PATH, FILE),
    caFile: fields.optionalText('caFile', PATH, FILE),
    credentialFiles: readCredentials(fields, adapter),
    settings: readSettings(fields, facts, adapter),
  }
  if (fields.any('baseUrl') === undefined) {
    fields.fault('baseUrl', `is required and ${urlForm(facts.mode)}`)
  }
  return fields.result(account)
}

const PROXY = 'must be the URL of a proxy, such as http://proxy.internal:3128'

function readName(fields: Fields): string {
  const reserved = RESERVED_NAMES.join('|')
  const form = new RegExp(`^(?!(?:${reserved})$)[a-z][a-z\\d-]{0,39}$`)
  const message = `must begin with a lower-case letter, have at most 40 lower-case letters, digits and hyphens, and not be ${RESERVED_NAMES.join(', ')}`
  return fields.text('name', form, message)
}

function adapterForm(adapters: readonly Adapter[]): RegExp {
  return new RegExp(`^(?:${adapters.map(({ name }) => name).join('|')})$`)
}

function namesOf(adapters: readonly Adapter[]): string {
  return adapters.map(({ name }) => name).join(' or ')
}

function readFacts(fields: Fields, name: string, serviceMode: 'sandbox' | 'live'): AccountFacts {
  const mode = fields.oneOf('mode', ['sandbox', 'live'])
  if (mode !== serviceMode)
    fields.fault('mode', `must be ${serviceMode}, as the MODE of the service`)
  const country = fields.text('country', COUNTRY, COUNTRY_FORM)
  if (country !== '' && !isCountry(country)) fields.fault('country', COUNTRY_FORM)
  const currency = fields.text('currency', /^[A-Z]{3}$/, CURRENCY_FORM)
  if (currency !== '' && !isCurrency(currency)) fields.fault('currency', CURRENCY_FORM)
  const places = digitsOf(currency) ?? 0
  const digits = fields.integer('digits', { min: 0, max: places }, places)
  return { name, mode, country, currency, digits }
}

const COUNTRY_FORM = 'must be the two letters of a country, such as UG'
const CURRENCY_FORM = 'must be a current ISO 4217 currency, such as UGX'

const urlForm = (mode: string) =>
  `must be a URL that begins with https://${mode === 'live' ? '' : ' or http://'}, without a user, query or fragment`

function readUrl(fields: Fields, name: string, mode: string): string | undefined {
  const text = fields.optionalText(name, /^https?:\/\/[^\s?#@]+$/, urlForm(mode))
  if (text === undefined) return undefined
  const url = URL.parse(text)
  if (url && (url.protocol === 'https:' || mode === 'sandbox')) return text.replace(/\/+$/, '')
  fields.fault(name, urlForm(mode))
  return undefined
}

function readOrigin(fields: Fields, mode: string): string | undefined {
  const text = readUrl(fields, 'callbackOrigin', mode)
  const url = text === undefined ? null : URL.parse(text)
  if (!url) return undefined
  // MTN accepts no address in a callback URL.
  const isAddress = isIP(withoutBrackets(url.hostname)) !== 0
  if (url.pathname === '/' && (!isAddress || mode === 'sandbox')) return url.origin
  fields.fault('callbackOrigin', 'must be a scheme and a host name, such as https://pay.example')
  return undefined
}

function readMerchants(fields: Fields): string[] {
  const merchants = fields.list('merchants', MERCHANT, 'must be the id of a user, or *')
  if (merchants.length > 1 && merchants.includes(ANY_MERCHANT)) {
    fields.fault('merchants', 'must have * alone, or ids of users')
  }
  return merchants
}

function readPhones(fields: Fields, country: string) {
  const phoneCountries = fields.list('phoneCountries', COUNTRY, COUNTRY_FORM, [country])
  if (!phoneCountries.every(isCountry))
    fields.fault('phoneCountries', `has an item that ${COUNTRY_FORM}`)
  const hasPrefixes = fields.any('phonePrefixes') !== undefined
  const prefix = 'must be a plus sign and digits, such as +25677'
  const phonePrefixes = hasPrefixes ? fields.list('phonePrefixes', /^\+[1-9]\d{0,14}$/, prefix) : []
  return { phoneCountries, phonePrefixes }
}

function readMethods(fields: Fields, adapter: Adapter | undefined): PaymentMethod[] {
  const possible = adapter?.capabilities.methods ?? []
  const form = new RegExp(`^(?:${possible.join('|')})$`)
  const given = fields.any('methods')
  if (!adapter || given === undefined) return [...possible]
  return fields.list('methods', form, `must be ${possible.join(' or ')}`) as PaymentMethod[]
}

function readLimits(fields: Fields, { currency, digits }: AccountFacts): AccountLimits {
  const limits = fields.within('limits')
  const amount = (name: 'min' | 'max'): bigint => {
    const minor = parseAmount(limits.any(name), currency)
    const isExact = typeof minor === 'bigint' && wireAmount(minor, currency, digits) !== undefined
    if (isExact) return minor
    limits.fault(
      name,
      `must be a positive amount in ${currency} with at most ${digits} decimal places`,
    )
    return 1n
  }
  const perSecond = { min: 1, max: 10_000 }
  const minMinor = amount('min')
  const maxMinor = amount('max')
  if (minMinor > maxMinor) limits.fault('max', 'must not be less than min')
  // A limit of 1 has a burst of 1 and never refills, so that the least is 2.
  const rate = limits.integer('rate', { ...perSecond, min: 2 })
  const burst = limits.integer('burst', { min: 1, max: rate - 1 }, defaultBurst(rate))
  const pollRate = limits.integer('pollRate', { ...perSecond, min: 2 })
  const maxInFlight = limits.integer('maxInFlight', { min: 1, max: 1_000 }, 20)
  fields.include('limits', limits.faults())
  return { minMinor, maxMinor, rate, burst, pollRate, maxInFlight }
}

function readTimeZone(fields: Fields): string {
  const message = 'must be the name of a time zone, such as Africa/Kampala'
  const zone = fields.optionalText('timeZone', /^[A-Za-z][\w+/-]*$/, message) ?? 'UTC'
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    fields.fault('timeZone', message)
    return 'UTC'
  }
}

function readCredentials(fields: Fields, adapter: Adapter | undefined) {
  const given = fields.any('credentials')
  if (!adapter) return []
  const isList = Array.isArray(given)
  const sets: unknown[] = isList ? given : [given]
  if (sets.length < 1 || sets.length > 2) {
    fields.fault('credentials', 'must be one set of files, or a list of two during a rotation')
  }
  return sets.map((set, index) => {
    const files = readFields(set)
    const entries = Object.entries(adapter.credentials).map(([name, { required }]) => {
      const field = `${name}File`
      const path = required ? files.text(field, PATH, FILE) : files.optionalText(field, PATH, FILE)
      return [name, path] as const
    })
    fields.include(isList ? `credentials[${index}]` : 'credentials', files.faults())
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
  })
}

function readSettings(fields: Fields, facts: AccountFacts, adapter: Adapter | undefined): unknown {
  const given = fields.any('settings')
  if (!adapter) return undefined
  const parsed = adapter.parseSettings(given, facts)
  if ('value' in parsed) return parsed.value
  fields.include('settings', parsed.faults)
  return undefined
}
