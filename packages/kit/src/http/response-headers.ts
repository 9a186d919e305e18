import type { FastifyReply } from 'fastify'
import { isApi, type Request } from './request.js'
import { REQUEST_ID } from './request-id.js'

export const SECURITY_HEADERS = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const

/** Sets the headers of every response. */
export function setCommonHeaders(request: Request, reply: FastifyReply) {
  reply.header(REQUEST_ID, request.id)
  reply.headers(SECURITY_HEADERS)
  // Any response of the API may contain a token or personal data.
  if (isApi(request)) reply.header('cache-control', 'no-store')
}
