import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newSession, newUser, openSession, type Person, startAuth } from './auth.js'
import { headerOf, keys, newFolder, newKeySet } from './key-folder.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const LIFE_SECONDS = 2

/** Copies a folder to a replica's folder, as the kubelet does some time after a Secret changes. */
function bring(from: string, to: string) {
  cpSync(from, to, { recursive: true })
  const wanted = new Set(readdirSync(from))
  for (const name of readdirSync(to)) if (!wanted.has(name)) rmSync(join(to, name))
}

/** Signs tokens on one replica and validates them on both until they expire. */
function load(replicas: Auth[], user: Person) {
  const state = { over: false, refused: 0, checked: 0, kids: new Set<string>() }
  const worker = async (signer: Auth) => {
    while (!state.over) {
      const { token, exp } = await openSession(signer.client, user)
      state.kids.add(headerOf(token).kid ?? 'secret')
      while (Date.now() / 1000 < exp - 0.7 && !state.over) {
        const checks = replicas.map(({ client }) => client.get('/api/auth/validate', { token }))
        for (const { body } of await Promise.all(checks)) {
          state.checked++
          if (body.valid !== true) state.refused++
        }
        await sleep(50)
      }
    }
  }
  const workers = Promise.all([...replicas, ...replicas].map(worker))
  return {
    state,
    stop: async () => {
      state.over = true
      await workers
    },
  }
}

describe('a rotation', () => {
  it('under load rejects no token, though replicas reload at different times', async () => {
    const set = await newKeySet()
    const [first, second] = [newFolder(), newFolder()]
    bring(set, first)
    bring(set, second)
    const common = { DATABASE_URL: auth.databaseUrl, JWT_EXPIRES_IN: String(LIFE_SECONDS) }
    const replicas = [
      await startAuth({ ...common, JWT_SECRET: undefined, JWT_KEYS_DIR: first }),
      await startAuth({ ...common, JWT_SECRET: undefined, JWT_KEYS_DIR: second }),
    ]
    const { state, stop } = load(replicas, await newUser(auth.client))
    try {
      const old = readdirSync(set)[0]?.replace('.json', '')
      await expect.poll(() => [...state.kids]).toEqual([old])
      const { out } = await keys(set, ['rotate', '--signs-in', '6'])
      const next = out.split(' ')[0] ?? ''
      bring(set, first)
      await sleep(1_500)
      bring(set, second)
      await expect.poll(() => [...state.kids], { timeout: 15_000 }).toEqual([old, next])
      // In production, `prune` drops the old key a minute after its last token has expired.
      await sleep((LIFE_SECONDS + 1) * 1000)
      rmSync(join(set, `${old}.json`))
      bring(set, second)
      await sleep(1_000)
      bring(set, first)
      state.kids.clear()
      await sleep(3_500)
      const published = await replicas[0]?.client.get('/.well-known/jwks.json')
      expect(published?.body.keys).toMatchObject([{ kid: next }])
      expect([...state.kids]).toEqual([next])
    } finally {
      await stop()
      for (const replica of replicas) await replica.close()
    }
    expect(state.checked).toBeGreaterThan(200)
    expect(state.refused).toBe(0)
  }, 60_000)

  it('with an invalid file keeps the previous keys, and sets a metric', async () => {
    const set = await newKeySet()
    const own = await startAuth({ DATABASE_URL: auth.databaseUrl, JWT_KEYS_DIR: set })
    const unreadable = async () => {
      const { body } = await own.client.get('/metrics')
      return /^signing_keys_unreadable (\d)/m.exec(body as string)?.[1]
    }
    try {
      const { token } = await newSession(own.client)
      const valid = async () =>
        (await own.client.get('/api/auth/validate', { token })).body.valid as boolean
      writeFileSync(join(set, 'broken.json'), '{')
      await expect.poll(unreadable, { timeout: 10_000 }).toBe('1')
      expect(await valid()).toBe(true)
      renameSync(set, `${set}-away`)
      await sleep(2_500)
      expect([await valid(), await unreadable()]).toEqual([true, '1'])
      rmSync(join(`${set}-away`, 'broken.json'))
      renameSync(`${set}-away`, set)
      await expect.poll(unreadable, { timeout: 10_000 }).toBe('0')
      expect(await valid()).toBe(true)
    } finally {
      await own.close()
    }
  })
})

describe('the keys command', () => {
  it('creates, rotates, lists and prunes keys', async () => {
    const set = await newKeySet()
    const made = readdirSync(set)
    expect(made).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\d-[\da-f]{8}\.json$/)])
    const first = made[0]?.replace('.json', '')
    expect(await keys(set, ['make'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/already has keys/),
    })
    const rotated = await keys(set, ['rotate'])
    expect(rotated).toMatchObject({
      code: 0,
      out: expect.stringMatching(/ created: signs from .*Z\n$/),
    })
    const again = await keys(set, ['rotate'])
    expect(again.out).toBe('no key created: the newest one does not sign yet\n')
    const listed = await keys(set, ['list'])
    expect(listed.out).toMatch(new RegExp(`^${first} signs since .*\n.* verifies, signs from`))
    expect(await keys(set, ['prune'])).toMatchObject({ code: 0, out: '' })
    expect(readdirSync(set)).toHaveLength(2)
  }, 120_000)

  it.each<[string, string[], RegExp]>([
    ['no verb', [], /^keys: keys make\|rotate/],
    ['an unknown verb', ['drop'], /^keys: keys make\|rotate/],
    ['two verbs', ['make', 'list'], /^keys: keys make\|rotate/],
    ['an unknown option', ['make', '--force'], /^keys: keys make\|rotate/],
    ['an invalid delay', ['rotate', '--signs-in', 'soon'], /--signs-in must be a whole number/],
    ['a missing key set', ['rotate'], /has no key/],
  ])('rejects %s', async (_, args, reason) => {
    const { code, out, err } = await keys(newFolder(), args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(reason)
  })
})
