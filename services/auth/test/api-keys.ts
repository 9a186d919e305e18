import { expect } from 'vitest'
import { type Auth, newSession } from './auth.js'

/** The answer to a request that creates or rotates a key. */
export interface NewKey {
  readonly id: string
  readonly key: string
  readonly hint: string
  readonly scopes: string[]
  readonly replaces: string | null
  readonly expiresAt: string | null
  readonly createdAt: string
}

/** A user who has just logged in, with requests for API keys of their merchant. */
export async function newMerchant(auth: Auth) {
  const session = await newSession(auth.client)
  return { ...session, ...keysOf(auth, session.token) }
}

/** Requests for API keys with an access token. */
export function keysOf({ client }: Pick<Auth, 'client'>, token: string) {
  const create = (own: object = {}, headers: Record<string, string> = {}) => {
    const body = { name: 'shop server', scopes: ['payments:read'], ...own }
    return client.send('POST', '/api/auth/keys', { body, token, headers })
  }
  const rotate = (id: string, body: object = {}, headers: Record<string, string> = {}) =>
    client.send('POST', `/api/auth/keys/${id}/rotate`, { body, token, headers })
  return {
    create,
    rotate,
    list: () => client.get('/api/auth/keys', { token }),
    revoke: (id: string) => client.send('DELETE', `/api/auth/keys/${id}`, { token }),
    async newKey(own: object = {}): Promise<NewKey> {
      const { status, body } = await create(own)
      expect(status).toBe(201)
      return body as NewKey
    },
    async rotated(id: string, own: object = {}): Promise<NewKey> {
      const { status, body } = await rotate(id, own)
      expect(status).toBe(201)
      return body as NewKey
    },
  }
}

/** The problem of a response, such as `409 too-many-keys`. */
export function problemOf({ status, body }: { status: number; body: { type?: unknown } }): string {
  return `${status} ${String(body.type).split('/').at(-1)}`
}

/** Moves the login of a session into the past. */
export async function ageLogin(auth: Auth, sid: string, seconds: number) {
  await auth.sql(
    `UPDATE sessions SET created_at = created_at - make_interval(secs => $2) WHERE id = $1`,
    sid,
    seconds,
  )
}

/** The events of a merchant's keys in the audit trail. */
export async function keyEventsOf(auth: Auth, userId: string) {
  return auth.sql<{ kind: string; actor: string | null; detail: Record<string, unknown> }>(
    `SELECT kind, actor_id AS actor, detail FROM audit_events
     WHERE user_id = $1 AND kind LIKE 'key%' ORDER BY id`,
    userId,
  )
}
