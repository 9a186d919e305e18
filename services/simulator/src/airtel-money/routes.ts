import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AirtelAccount } from '../accounts.js'
import { type Book, stateOf } from '../book/book.js'
import type { Journal } from '../book/journal.js'
import { balanceOf } from '../charges/balance.js'
import type { ChargeResult, Charges } from '../charges/charges.js'
import { accountOfToken, issueToken } from '../http/access-token.js'
import { closeConnection } from '../http/close-connection.js'
import { parseObject } from '../http/json.js'
import type { RateLimits } from '../http/rate-limits.js'
import type { MessageKeys } from './message-keys.js'
import { isSigned, publicKeyOf } from './message-signature.js'
import { readPayment } from './payment.js'
import { type AirtelResponse, otherRejection, RESPONSES, succeeded } from './responses.js'
import { sentOf, statusOf } from './view.js'

const PROVIDER = 'airtel-money'
const KEY_VALID_MS = 365 * 86_400_000

interface Services {
  readonly accounts: readonly AirtelAccount[]
  readonly charges: Charges
  readonly book: Book
  readonly limits: RateLimits
  readonly keys: MessageKeys
  readonly journal: Journal
}

const endpoint = (name: string) => ({ config: { endpoint: `${PROVIDER} ${name}` } })
const send = (reply: FastifyReply, { status, body }: AirtelResponse) =>
  reply.code(status).send(body)

/** Airtel Money's API of collections. */
export function serveAirtelMoney(server: FastifyInstance, services: Services): void {
  serveToken(server, services)
  serveKeys(server, services)
  servePayments(server, services)
  serveStatus(server, services)
  serveUsers(server, services)
}

function serveToken(server: FastifyInstance, { accounts }: Services) {
  server.post('/auth/oauth2/token', endpoint('token'), (request, reply) => {
    const { client_id, client_secret, grant_type } = parseObject(request.body) ?? {}
    const account = accounts.find(({ clientId }) => clientId === client_id)
    if (!account || account.clientSecret !== client_secret) {
      return send(reply, RESPONSES.clientInvalid)
    }
    if (grant_type !== 'client_credentials') return send(reply, RESPONSES.grantInvalid)
    const { tokenSeconds } = account
    const access_token = issueToken(PROVIDER, credentialsOf(account), tokenSeconds, Date.now())
    // Airtel sends the lifetime as a string.
    return reply.send({ access_token, expires_in: String(tokenSeconds), token_type: 'bearer' })
  })
}

function serveKeys(server: FastifyInstance, { accounts, keys, journal }: Services) {
  server.get('/v1/rsa/encryption-keys', endpoint('encryption-keys'), (request, reply) => {
    const account = accountOf(request, reply, accounts)
    if (!account) return reply
    const key = publicKeyOf(keys.of(account.clientId, journal))
    const data = { key_id: 100, key, valid_upto: localTime(new Date(Date.now() + KEY_VALID_MS)) }
    return send(reply, succeeded('DP02010001001', data))
  })
}

function servePayments(server: FastifyInstance, services: Services) {
  server.post('/merchant/v1/payments', endpoint('payments'), (request, reply) => {
    const account = accountOf(request, reply, services.accounts)
    return account ? pay(request, reply, account, services) : reply
  })
  server.post('/merchant/v2/payments', endpoint('payments'), (request, reply) => {
    const account = accountOf(request, reply, services.accounts)
    if (!account) return reply
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const key = services.keys.of(account.clientId, services.journal)
    if (!isSigned(body, request.headers, key)) return send(reply, RESPONSES.signature)
    return pay(request, reply, account, services)
  })
}

async function pay(
  request: FastifyRequest,
  reply: FastifyReply,
  account: AirtelAccount,
  { charges }: Services,
) {
  const input = readPayment(account, parseObject(request.body))
  if ('status' in input) return send(reply, input)
  const result = await charges.request(input)
  if (result.kind !== 'reset') return send(reply, responseTo(result))
  return closeConnection(reply)
}

function responseTo(result: Exclude<ChargeResult, { kind: 'reset' }>): AirtelResponse {
  if (result.kind === 'duplicate') return RESPONSES.duplicate
  if (result.kind === 'full') return RESPONSES.rateLimited
  if (result.kind === 'rejected') {
    if (result.rejection === 'busy') return RESPONSES.rateLimited
    return result.code === undefined ? RESPONSES.limit : otherRejection(result.code)
  }
  return result.kind === 'error' ? RESPONSES.timedOut : sentOf(result.entry.charge)
}

function serveStatus(server: FastifyInstance, { accounts, charges, limits }: Services) {
  const path = '/standard/v1/payments/:id'
  server.get<{ Params: { id: string } }>(path, endpoint('status'), async (request, reply) => {
    const account = accountOf(request, reply, accounts)
    if (!account) return reply
    if (!limits.take(PROVIDER, account.clientId, account.queriesPerSecond)) {
      return send(reply, RESPONSES.rateLimited)
    }
    const { id } = request.params
    if (!/^[A-Za-z\d]{1,64}$/.test(id)) return send(reply, RESPONSES.idInvalid)
    const entry = await charges.find(PROVIDER, id)
    if (entry?.charge.account !== account.clientId) return send(reply, RESPONSES.notFound)
    const { isVisible, outcome } = stateOf(entry)
    return send(reply, isVisible ? statusOf(entry.charge, outcome) : RESPONSES.notFound)
  })
}

function serveUsers(server: FastifyInstance, { accounts, book }: Services) {
  server.get('/standard/v1/users/balance', endpoint('balance'), (request, reply) => {
    const account = accountOf(request, reply, accounts)
    if (!account) return reply
    const { currency, clientId } = account
    const balance = balanceOf(book, PROVIDER, clientId, currency)
    return send(reply, succeeded('DP02100000001', { balance, currency }))
  })
  const path = '/standard/v1/users/:msisdn'
  server.get<{ Params: { msisdn: string } }>(path, endpoint('users'), (request, reply) => {
    const account = accountOf(request, reply, accounts)
    if (!account) return reply
    const { msisdn } = request.params
    const names = { first_name: 'Payer', last_name: `Number ${msisdn.slice(-2)}` }
    const registration = { id: '1', status: 'SUBS' }
    const data = {
      ...names,
      grade: 'SUBS',
      is_barred: false,
      is_pin_set: true,
      msisdn,
      registration,
    }
    return send(reply, succeeded('DP02200000001', data))
  })
}

const credentialsOf = (account: AirtelAccount) => ({
  id: account.clientId,
  secret: account.clientSecret,
  account,
})

/** The account of the access token, if the headers name its country and currency; undefined after an error response. */
function accountOf(
  request: FastifyRequest,
  reply: FastifyReply,
  accounts: readonly AirtelAccount[],
): AirtelAccount | undefined {
  const { authorization, 'x-country': country, 'x-currency': currency } = request.headers
  const find = (id: string) => {
    const account = accounts.find(({ clientId }) => clientId === id)
    return account && credentialsOf(account)
  }
  const account = accountOfToken(PROVIDER, authorization, find, Date.now())?.account
  if (!account) send(reply, RESPONSES.tokenInvalid)
  else if (!country || !currency) send(reply, RESPONSES.headerMissing)
  else if (country !== account.country) send(reply, RESPONSES.countryInvalid)
  else if (currency !== account.currency) send(reply, RESPONSES.currencyInvalid)
  else return account
  return undefined
}

/** As in `12-08-2024 21:29:26`. */
function localTime(time: Date): string {
  const [date = '', clock = ''] = time.toISOString().slice(0, 19).split('T')
  return `${date.split('-').toReversed().join('-')} ${clock}`
}
