import { Client } from '@malipo/testing/client'
import type { Answer } from '@malipo/testing/conformity'
import { expect } from 'vitest'
import type { Payments } from './payments.js'

/** The requests of a merchant for its webhook endpoints. */

const PATH = '/api/webhook-endpoints'
type Headers = Record<string, string>

/** The body of a request to create an endpoint. A field that `changes` sets to undefined is omitted. */
export function endpointInput(changes: Record<string, unknown> = {}) {
  return { url: 'https://merchant.example/hook', events: ['payment.*'], ...changes }
}

export function endpointsOf(
  { token }: { readonly token: string },
  { client }: { readonly client: Client } | Pick<Payments, 'client'>,
) {
  const send = (method: string, path: string, body?: unknown, headers: Headers = {}) =>
    client.send(method, `${PATH}${path}`, { token, body, headers })
  return {
    create: (changes: Record<string, unknown> = {}, headers: Headers = {}) =>
      send('POST', '', endpointInput(changes), headers),
    get: (id: string) => send('GET', `/${id}`),
    list: (query = '') => send('GET', query),
    change: (id: string, body: unknown, headers: Headers = {}) =>
      send('PATCH', `/${id}`, body, headers),
    remove: (id: string) => send('DELETE', `/${id}`),
    rotate: (id: string, body: unknown = {}, headers: Headers = {}) =>
      send('POST', `/${id}/rotate-secret`, body, headers),
  }
}

export type EndpointsOf = ReturnType<typeof endpointsOf>

/** Creates an endpoint, and returns its representation with the secret. */
export async function newEndpoint(
  merchant: EndpointsOf,
  changes: Record<string, unknown> = {},
): Promise<Answer['body']> {
  const { status, body } = await merchant.create(changes)
  expect(status).toBe(201)
  return body
}
