import { apiKeyHash, apiKeyId } from '@malipo/kit/http/api-key'
import { Client } from '@malipo/testing/client'
import { expect } from 'vitest'
import type { User } from './auth.js'

/** Requests to auth for API keys, as a user who has just logged in. */

/** A server of a merchant, which sends its API key as the token. */
export interface Server {
  readonly token: string
  readonly keyId: string
}

export async function newServer(authUrl: string, user: User, own: object = {}): Promise<Server> {
  const body = { name: 'server', scopes: ['payments:read', 'payments:write'], ...own }
  const answer = await new Client(authUrl).post('/api/auth/keys', body, { token: user.token })
  expect(answer.status).toBe(201)
  return serverWith(answer.body.key as string)
}

export async function rotated(
  authUrl: string,
  user: User,
  { keyId }: Server,
  overlapSeconds?: number,
): Promise<Server> {
  const path = `/api/auth/keys/${keyId}/rotate`
  const answer = await new Client(authUrl).post(path, { overlapSeconds }, { token: user.token })
  expect(answer.status).toBe(201)
  return serverWith(answer.body.key as string)
}

export async function revokeKey(authUrl: string, user: User, { keyId }: Server) {
  const { token } = user
  const answer = await new Client(authUrl).send('DELETE', `/api/auth/keys/${keyId}`, { token })
  expect(answer.status).toBe(204)
}

function serverWith(key: string): Server {
  return { token: key, keyId: apiKeyId(apiKeyHash(key)) }
}
