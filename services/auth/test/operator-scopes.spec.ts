import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, isValid, newOperator, newSession, newUser, startAuth } from './auth.js'

let auth: Auth
let operator: Awaited<ReturnType<typeof newOperator>>
beforeAll(async () => {
  auth = await startAuth()
  operator = await newOperator(auth, 'auth:admin')
})
afterAll(() => auth.close())

const put = (id: string, scopes: readonly string[]) =>
  auth.client.send('PUT', `/api/auth/users/${id}/scopes`, {
    body: { scopes },
    token: operator.token,
  })

const grantsOf = (userId: string) =>
  auth.sql<{ actor: string | null; detail: object }>(
    `SELECT actor_id AS actor, detail FROM audit_events
     WHERE kind = 'grant' AND user_id = $1 ORDER BY at, id`,
    userId,
  )

const scopesOf = async (userId: string) =>
  (await auth.sql<{ scopes: string[] | null }>('SELECT scopes FROM users WHERE id = $1', userId))[0]
    ?.scopes

const DEFAULTS = ['payments:read', 'payments:write', 'payments:settle', 'webhooks:write']

describe('operator scopes', () => {
  it.each(['payments:admin', 'auth:admin'])('%s is not granted through the API', async (scope) => {
    const { sub, token } = await newSession(auth.client)
    const answer = await put(sub, [...DEFAULTS, scope])
    expect([answer.status, answer.body.type]).toEqual([403, '/problems/operator-scopes'])
    expect(await scopesOf(sub)).toBeNull()
    expect(await grantsOf(sub)).toEqual([])
    expect(await isValid(auth.client, token)).toBe(true)
  })

  it('can be retained and removed through the API', async () => {
    const { user, token } = await newOperator(auth, 'payments:admin', 'auth:admin')
    expect((await put(user.id, ['payments:read', 'payments:admin'])).status).toBe(200)
    expect(await isValid(auth.client, token)).toBe(false)
    expect(await scopesOf(user.id)).toEqual(['payments:read', 'payments:admin'])
    const again = await put(user.id, ['payments:admin', 'auth:admin'])
    expect([again.status, again.body.type]).toEqual([403, '/problems/operator-scopes'])
    expect((await put(user.id, ['payments:read'])).status).toBe(200)
  })

  it('are not restored by a change that runs at the same time as their removal', async () => {
    for (let round = 0; round < 5; round++) {
      const { user } = await newOperator(auth, 'payments:read', 'payments:admin')
      const [, removal] = await Promise.all([
        put(user.id, ['payments:read', 'payments:write', 'payments:admin']),
        put(user.id, ['payments:read']),
      ])
      expect(removal.status).toBe(200)
      const last = (await grantsOf(user.id)).at(-1)
      expect(last?.detail).toMatchObject({ scopes: ['payments:read'] })
      expect(await scopesOf(user.id)).toEqual(['payments:read'])
    }
  })
})

describe('own scopes', () => {
  it.each([
    ['adding a scope', ['auth:admin', 'payments:write']],
    ['adding an operator scope', ['auth:admin', 'payments:admin']],
    ['removing a scope', []],
    ['no change', ['auth:admin']],
    ['an unknown scope', ['everything']],
  ])('cannot be changed: %s', async (_, scopes) => {
    for (const id of [operator.sub, operator.sub.toUpperCase()]) {
      const answer = await put(id, scopes)
      expect([answer.status, answer.body.type]).toEqual([403, '/problems/own-scopes'])
    }
    expect(await scopesOf(operator.sub)).toEqual(['auth:admin'])
    expect(await isValid(auth.client, operator.token)).toBe(true)
  })
})

describe('a change of scopes by SQL', () => {
  it('is in the audit trail, once for each change', async () => {
    const { id } = await newUser(auth.client)
    await auth.sql(`UPDATE users SET scopes = '{payments:admin}' WHERE id = $1`, id)
    await auth.sql(`UPDATE users SET scopes = '{payments:admin}', email = email WHERE id = $1`, id)
    await auth.sql('UPDATE users SET scopes = NULL WHERE id = $1', id)
    const scopes = ['payments:admin']
    expect(await grantsOf(id)).toEqual([
      { actor: null, detail: { before: null, scopes } },
      { actor: null, detail: { before: scopes, scopes: null } },
    ])
  })
})

describe('the metric operator_scope_grants', () => {
  /** A new service, so that no other test grants in its database, and its first poll is soon. */
  async function grantsCounted(prepare: (other: Auth, id: string) => Promise<unknown>) {
    const other = await startAuth()
    try {
      await prepare(other, (await newUser(other.client)).id)
    } finally {
      await other.close()
    }
    const restarted = await startAuth({ DATABASE_URL: other.databaseUrl })
    const metric = async () => {
      const { body } = await restarted.client.get('/metrics')
      return Number(/^operator_scope_grants (\d+)$/m.exec(body as string)?.[1])
    }
    try {
      await expect
        .poll(
          async () =>
            /worker="operator_grants_poll",outcome="ok"} [1-9]/.test(
              (await restarted.client.get('/metrics')).body as string,
            ),
          { timeout: 10_000 },
        )
        .toBe(true)
      return await metric()
    } finally {
      await restarted.close()
    }
  }

  const setScopes = (other: Auth, id: string, ...scopes: string[]) =>
    other.sql('UPDATE users SET scopes = $2 WHERE id = $1', id, scopes)

  it('counts each grant of an operator scope, by the command or by SQL', async () => {
    const count = await grantsCounted(async (other, id) => {
      await setScopes(other, id, 'payments:read', 'payments:admin')
      await setScopes(other, id, 'payments:admin', 'auth:admin')
    })
    expect(count).toBe(2)
  })

  it('does not count other changes, nor grants more than an hour ago', async () => {
    const count = await grantsCounted(async (other, id) => {
      await setScopes(other, id, 'payments:read')
      await other.sql(
        `INSERT INTO audit_events (id, kind, user_id, detail)
         VALUES (uuidv7(interval '-61 minutes'), 'grant', $1, '{"scopes": ["auth:admin"]}')`,
        id,
      )
    })
    expect(count).toBe(0)
  })
})
