import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Journal } from '../book/journal.js'
import { parseObject } from '../http/json.js'
import { badRequest, ERRORS } from './errors.js'
import { readReference } from './request-to-pay.js'
import { reject } from './responses.js'
import type { Users } from './users.js'

interface UserParams {
  Params: { id: string }
}

const MAX_HOST = 253

/** The API of the sandbox that creates users and their keys. */
export function serveProvisioning(server: FastifyInstance, users: Users, journal: Journal): void {
  const config = { endpoint: 'mtn-momo apiuser' }

  server.post('/v1_0/apiuser', { config }, (request, reply) => {
    const subscriptionKey = subscriptionKeyOf(request)
    if (!subscriptionKey) return reject(reply, ERRORS.subscriptionKeyMissing)
    const id = readReference(request.headers['x-reference-id'])
    if (!id) return reject(reply, badRequest('X-Reference-Id must be a UUID of version 4'))
    const { providerCallbackHost: callbackHost } = parseObject(request.body) ?? {}
    const isHost = typeof callbackHost === 'string' && callbackHost.length <= MAX_HOST
    if (!isHost || callbackHost === '') {
      return reject(reply, badRequest('providerCallbackHost must be a host name'))
    }
    if (users.find(id)) return reject(reply, ERRORS.duplicate)
    journal.append({ kind: 'api-user', id, callbackHost, subscriptionKey })
    return reply.code(201).send()
  })

  server.post<UserParams>('/v1_0/apiuser/:id/apikey', { config }, (request, reply) => {
    const user = provisionedUser(request, reply, users)
    if (!user) return reply
    const apiKey = randomBytes(16).toString('hex')
    journal.append({ kind: 'api-key', id: user.id, apiKey })
    return reply.code(201).send({ apiKey })
  })

  server.get<UserParams>('/v1_0/apiuser/:id', { config }, (request, reply) => {
    const user = provisionedUser(request, reply, users)
    if (!user) return reply
    const { callbackHost, targetEnvironment } = user
    return reply.send({ providerCallbackHost: callbackHost, targetEnvironment })
  })
}

function subscriptionKeyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers['ocp-apim-subscription-key']
  return typeof key === 'string' && key !== '' ? key : undefined
}

/** The user of the path; undefined after an error response. */
function provisionedUser(request: FastifyRequest<UserParams>, reply: FastifyReply, users: Users) {
  const subscriptionKey = subscriptionKeyOf(request)
  const user = users.find(request.params.id.toLowerCase())
  if (!subscriptionKey) reject(reply, ERRORS.subscriptionKeyMissing)
  else if (!user?.isProvisioned) reject(reply, ERRORS.notFound)
  else if (user.subscriptionKey !== subscriptionKey) reject(reply, ERRORS.subscriptionKeyInvalid)
  else return user
  return undefined
}
