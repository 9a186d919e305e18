import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Book, stateOf } from '../book/book.js'
import type { Charges } from '../charges/charges.js'
import { issueToken } from '../http/access-token.js'
import { closeConnection } from '../http/close-connection.js'
import { parseObject } from '../http/json.js'
import { balanceOf } from '../charges/balance.js'
import type { RateLimits } from '../http/rate-limits.js'
import { authenticate, authenticateBasic, ISSUER } from './authentication.js'
import { MTN_ENVIRONMENTS } from './environments.js'
import { badRequest, type ErrorResponse, ERRORS, otherError } from './errors.js'
import { readReference, readRequestToPay } from './request-to-pay.js'
import { reject } from './responses.js'
import { holderBehaviour } from './test-numbers.js'
import type { User, Users } from './users.js'
import { statusOf } from './view.js'

interface Services {
  readonly users: Users
  readonly charges: Charges
  readonly book: Book
  readonly limits: RateLimits
}

const endpoint = (name: string) => ({ config: { endpoint: `mtn-momo ${name}` } })

/** MTN's Collections API. */
export function serveCollections(server: FastifyInstance, services: Services): void {
  serveToken(server, services.users)
  serveRequestToPay(server, services)
  serveStatus(server, services)
  serveAccounts(server, services)
}

function serveToken(server: FastifyInstance, users: Users) {
  server.post('/collection/token', endpoint('token'), async (request, reply) => {
    const result = authenticateBasic(request.headers, users)
    if ('error' in result) return reject(reply, result.error)
    if (!isTokenBody(request.body)) return reject(reply, badRequest('The body must be empty'))
    const { user } = result
    await sleep(user.tokenDelayMs)
    const { tokenSeconds, tokenStatedSeconds: expires_in = tokenSeconds } = user
    const access_token = issueToken(ISSUER, user, tokenSeconds, Date.now())
    return reply.send({ access_token, token_type: 'access_token', expires_in })
  })
}

/** Most clients send no body, some an OAuth grant. */
function isTokenBody(body: unknown): boolean {
  if (!Buffer.isBuffer(body) || body.length === 0) return true
  const isForm = body.toString() === 'grant_type=client_credentials'
  return isForm || parseObject(body)?.grant_type === 'client_credentials'
}

function serveRequestToPay(server: FastifyInstance, { users, charges }: Services) {
  const path = '/collection/v1_0/requesttopay'
  server.post(path, endpoint('requesttopay'), async (request, reply) => {
    const user = userOf(request, reply, users)
    if (!user) return reply
    const reference = readReference(request.headers['x-reference-id'])
    if (!reference) return reject(reply, badRequest('X-Reference-Id must be a UUID of version 4'))
    const callbackUrl = request.headers['x-callback-url'] as string | undefined
    const input = readRequestToPay(user, reference, parseObject(request.body), callbackUrl)
    if ('status' in input) return reject(reply, input)
    const result = await charges.request(input)
    if (result.kind === 'accepted') return reply.code(202).send()
    if (result.kind === 'duplicate') return reject(reply, ERRORS.duplicate)
    if (result.kind === 'error') return reject(reply, ERRORS.internal)
    if (result.kind === 'full') return reject(reply, ERRORS.unavailable)
    if (result.kind === 'rejected') return reject(reply, rejectionOf(result))
    return closeConnection(reply)
  })
}

function rejectionOf(result: { rejection: 'refused' | 'busy'; code?: string }): ErrorResponse {
  if (result.rejection === 'busy') return ERRORS.rateLimited
  return result.code === undefined ? badRequest('REQUEST REJECTED') : otherError(result.code)
}

function serveStatus(server: FastifyInstance, { users, charges, limits }: Services) {
  const path = '/collection/v1_0/requesttopay/:reference'
  server.get<{ Params: { reference: string } }>(
    path,
    endpoint('status'),
    async (request, reply) => {
      const user = userOf(request, reply, users)
      if (!user) return reply
      if (!limits.take(ISSUER, user.id, user.queriesPerSecond))
        return reject(reply, ERRORS.rateLimited)
      const reference = readReference(request.params.reference)
      if (!reference) return reject(reply, badRequest('The reference must be a UUID of version 4'))
      const entry = await charges.find('mtn-momo', reference)
      if (entry?.charge.account !== user.id) return reject(reply, ERRORS.notFound)
      const { isVisible, outcome } = stateOf(entry)
      if (!isVisible) return reject(reply, ERRORS.notFound)
      return reply.send(statusOf(entry.charge, outcome, user.targetEnvironment))
    },
  )
}

function serveAccounts(server: FastifyInstance, { users, book }: Services) {
  const balance = endpoint('balance')
  server.get('/collection/v1_0/account/balance', balance, (request, reply) => {
    const user = userOf(request, reply, users)
    if (!user) return reply
    return sendBalance(reply, book, user, MTN_ENVIRONMENTS[user.targetEnvironment])
  })
  server.get<{ Params: { currency: string } }>(
    '/collection/v1_0/account/balance/:currency',
    balance,
    (request, reply) => {
      const user = userOf(request, reply, users)
      return user ? sendBalance(reply, book, user, request.params.currency) : reply
    },
  )

  const holder = '/collection/v1_0/accountholder/:type/:id'
  const config = endpoint('accountholder')
  server.get<HolderParams>(`${holder}/active`, config, (request, reply) => {
    const found = holderOf(request, reply, users)
    return found ? reply.send({ result: found === 'active' }) : reply
  })
  server.get<HolderParams>(`${holder}/basicuserinfo`, config, (request, reply) => {
    const found = holderOf(request, reply, users)
    if (!found) return reply
    const { id } = request.params
    const name = { given_name: 'Payer', family_name: `Number ${id.slice(-2)}` }
    return reply.send({ ...name, birthdate: '1990-01-01', locale: 'en_UG', gender: 'FEMALE' })
  })
}

interface HolderParams {
  Params: { type: string; id: string }
}

function sendBalance(reply: FastifyReply, book: Book, user: User, currency: string) {
  if (currency !== MTN_ENVIRONMENTS[user.targetEnvironment]) return reject(reply, ERRORS.currency)
  const availableBalance = balanceOf(book, 'mtn-momo', user.id, currency)
  return reply.send({ availableBalance, currency })
}

/** The state of the account of the path; undefined after an error response. */
function holderOf(request: FastifyRequest<HolderParams>, reply: FastifyReply, users: Users) {
  const user = userOf(request, reply, users)
  if (!user) return undefined
  const { type, id } = request.params
  // MTN documents lower case; one client sends upper case.
  if (type.toLowerCase() !== 'msisdn' || !/^[1-9]\d{7,14}$/.test(id)) {
    reject(reply, badRequest('The account holder must be an MSISDN with its country code'))
    return undefined
  }
  const behaviour = user.targetEnvironment === 'sandbox' ? holderBehaviour(id) : 'active'
  if (typeof behaviour === 'string') return behaviour
  reject(reply, behaviour)
  return undefined
}

/** The user of the access token; undefined after an error response. */
function userOf(request: FastifyRequest, reply: FastifyReply, users: Users): User | undefined {
  const result = authenticate(request.headers, users, Date.now())
  if ('user' in result) return result.user
  reject(reply, result.error)
  return undefined
}
