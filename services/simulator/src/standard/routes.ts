import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { StandardAccount } from '../accounts.js'
import { type Entry, stateOf } from '../book/book.js'
import type { ChargeResult, Charges } from '../charges/charges.js'
import { closeConnection } from '../http/close-connection.js'
import { parseObject } from '../http/json.js'
import type { RateLimits } from '../http/rate-limits.js'
import { readChargeRequest, type StandardError } from './charge-request.js'
import { chargeOf } from './view.js'

const PROVIDER = 'standard'

interface Services {
  readonly accounts: readonly StandardAccount[]
  readonly charges: Charges
  readonly limits: RateLimits
}

const endpoint = (name: string) => ({ config: { endpoint: `${PROVIDER} ${name}` } })
const ERRORS = {
  unauthenticated: { status: 401, code: 'unauthenticated' },
  duplicate: { status: 409, code: 'duplicate_reference' },
  notFound: { status: 404, code: 'charge_not_found' },
  busy: { status: 429, code: 'too_many_requests' },
  internal: { status: 500, code: 'internal_error' },
  full: { status: 503, code: 'unavailable' },
} as const satisfies Record<string, StandardError>

function reject(reply: FastifyReply, { status, code }: StandardError): FastifyReply {
  if (status === 429) reply.header('retry-after', '1')
  return reply.code(status).send({ code })
}

/** The API of a provider that speaks `standard`: docs/providers.md. */
export function serveStandard(
  server: FastifyInstance,
  { accounts, charges, limits }: Services,
): void {
  server.post('/charges', endpoint('charges'), async (request, reply) => {
    const account = accountOf(request, accounts)
    if (!account) return reject(reply, ERRORS.unauthenticated)
    const input = readChargeRequest(account, parseObject(request.body))
    if ('code' in input) return reject(reply, input)
    const result = await charges.request(input)
    if (result.kind === 'accepted') return reply.code(202).send(viewOf(result.entry))
    if (result.kind !== 'reset') return reject(reply, errorOf(result))
    return closeConnection(reply)
  })

  const path = '/charges/:reference'
  server.get<{ Params: { reference: string } }>(
    path,
    endpoint('status'),
    async (request, reply) => {
      const account = accountOf(request, accounts)
      if (!account) return reject(reply, ERRORS.unauthenticated)
      if (!limits.take(PROVIDER, account.name, account.queriesPerSecond)) {
        return reject(reply, ERRORS.busy)
      }
      const entry = await charges.find(PROVIDER, request.params.reference)
      const isOwn = entry?.charge.account === account.name
      return isOwn && stateOf(entry).isVisible
        ? reply.send(viewOf(entry))
        : reject(reply, ERRORS.notFound)
    },
  )
}

const viewOf = (entry: Entry) => chargeOf(entry.charge, stateOf(entry).outcome)

function errorOf(result: Exclude<ChargeResult, { kind: 'accepted' | 'reset' }>): StandardError {
  if (result.kind === 'duplicate') return ERRORS.duplicate
  if (result.kind === 'full') return ERRORS.full
  if (result.kind === 'error') return ERRORS.internal
  if (result.rejection === 'busy') return ERRORS.busy
  return { status: 422, code: result.code ?? 'limit_reached' }
}

function accountOf({ headers }: FastifyRequest, accounts: readonly StandardAccount[]) {
  const [, key] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? []
  return accounts.find(({ apiKey }) => apiKey === key)
}
