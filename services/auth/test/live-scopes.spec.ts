import { runToEnd } from '@malipo/local/process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Auth,
  environment,
  isValid,
  newOperator,
  newSession,
  newUser,
  openSession,
  startAuth,
} from './auth.js'

/** In live mode an operator approves each account that creates payments. */

const LIVE = { MODE: 'live', BCRYPT_COST: '10', REGISTRATIONS_PER_MINUTE: '10000' }

let auth: Auth
let operator: Awaited<ReturnType<typeof newOperator>>
beforeAll(async () => {
  auth = await startAuth(LIVE)
  operator = await newOperator(auth, 'auth:admin')
})
afterAll(() => auth.close())

const put = (id: string, ...scopes: string[]) => {
  const path = `/api/auth/users/${id}/scopes`
  return auth.client.send('PUT', path, { body: { scopes }, token: operator.token })
}

async function grantsOf(userId: string) {
  const path = `/api/auth/audit?kind=grant&userId=${userId}`
  const { body } = await auth.client.get(path, { token: operator.token })
  return body.data as { actorId: string | null; userAgent: string; detail: object }[]
}

describe('in live mode, payments:write', () => {
  it('is not a scope of a registered user', async () => {
    expect((await newSession(auth.client)).scope).toBe('payments:read')
  })

  it('is granted by an operator, in the audit trail', async () => {
    const user = await newUser(auth.client)
    expect((await put(user.id, 'payments:read', 'payments:write')).status).toBe(200)
    expect((await openSession(auth.client, user)).scope).toBe('payments:read payments:write')
    const detail = { before: ['payments:read'], scopes: ['payments:read', 'payments:write'] }
    expect(await grantsOf(user.id)).toMatchObject([{ actorId: operator.sub, detail }])
  })

  it('is granted by the operator command, in the audit trail', async () => {
    const user = await newUser(auth.client)
    const env = environment({ ...LIVE, DATABASE_URL: auth.databaseUrl })
    const args = ['--phone', user.phone, '--grant', 'payments:write']
    await runToEnd({ name: 'auth', script: 'cli/operator', args, env })
    expect((await openSession(auth.client, user)).scope).toBe('payments:read payments:write')
    const detail = { before: ['payments:read'], scopes: ['payments:read', 'payments:write'] }
    const event = { actorId: null, userAgent: 'operator command', detail }
    expect(await grantsOf(user.id)).toMatchObject([event])
  })

  it('can be removed, which revokes the sessions', async () => {
    const user = await newUser(auth.client)
    await put(user.id, 'payments:read', 'payments:write')
    const { token } = await openSession(auth.client, user)
    expect((await put(user.id, 'payments:read')).status).toBe(200)
    expect(await isValid(auth.client, token)).toBe(false)
    expect((await openSession(auth.client, user)).scope).toBe('payments:read')
  })

  it('is not granted by an operator to themselves', async () => {
    const answer = await put(operator.sub, 'auth:admin', 'payments:write')
    expect([answer.status, answer.body.type]).toEqual([403, '/problems/own-scopes'])
  })
})
