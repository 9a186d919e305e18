import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '@malipo/testing/until'
import { describe, expect, it } from 'vitest'
import { testAdapter, tokenGrant } from './provider-client/test-adapter.js'
import { fileOf, newFolder, phaseOf, startClient } from './provider-client/test-client.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'
import { startTokenServer } from './provider-client/token-server.js'

/** Credentials in files, which change, and of which there are two sets during a rotation. */

const WITH_TOKEN = testAdapter({ needs: ['token'], grants: { token: tokenGrant(5) } })
const ROTATION = () => [{ apiKey: fileOf('newest-secret\n') }, { apiKey: fileOf('older-secret') }]

async function startRotation(adapter = WITH_TOKEN) {
  const server = await startTokenServer()
  const clock = { seconds: 1_000 }
  const account = { baseUrl: server.url, credentialFiles: ROTATION() }
  const started = startClient({ account, adapter, now: () => clock.seconds * 1_000 })
  const logged = () => started.lines.filter(({ msg }) => msg.includes('credentials'))
  return { server, clock, ...started, logged }
}

const REFUSED = {
  msg: 'the provider refuses a set of credentials: the other one is used',
  set: 'newest',
  account: 'test',
}

describe('during a rotation', () => {
  it('the newest credentials are used', async () => {
    const { server, send, logged } = await startRotation()
    await send()
    expect(server.used).toEqual(['token-of-newest-secret-1'])
    expect(logged()).toEqual([])
  })

  it('the previous ones are used while the newest get no grant, and the log says so once', async () => {
    const { server, clock, send, logged, lines } = await startRotation()
    server.accepted.add('older-secret')
    await send()
    await send()
    expect(server.used).toEqual(Array(2).fill('token-of-older-secret-2'))
    // The newest are tried again in the background.
    for (let nth = 3; nth <= 5; nth++) {
      clock.seconds += 61
      server.lifetimeSeconds = 10_000
      await send()
      await until(() => server.count('/token') >= nth)
    }
    expect(logged()).toMatchObject([REFUSED])
    expect(logged()).toHaveLength(1)
    server.accepted.add('newest-secret')
    clock.seconds += 61
    await expect.poll(async () => (await send(), server.used.at(-1))).toContain('newest-secret')
    expect(JSON.stringify(lines)).not.toMatch(/newest-secret|older-secret/)
  })

  it('a call fails only if both are refused', async () => {
    const { server, send } = await startRotation()
    server.accepted.add('another-secret')
    const refused = { failure: 'provider_configuration', retry: true, flags: ['configuration'] }
    expect(await send()).toMatchObject({ reading: refused, result: { phase: 'connecting' } })
    expect(await send()).toMatchObject({ reading: refused })
    expect(server.count('/token')).toBe(2)
  })

  it('without grants, a call with refused credentials is repeated with the previous ones', async () => {
    const { server, clock, send, logged } = await startRotation(testAdapter())
    server.sendStatus = 403
    expect(await send()).toEqual({ kind: 'repeat' })
    // Both are refused, so that the reading counts.
    expect(await send()).toMatchObject({
      kind: 'read',
      reading: { failure: 'provider_configuration', retry: false },
      result: { status: 403 },
    })
    expect(server.used).toEqual(['newest-secret', 'older-secret'])
    server.sendStatus = 202
    expect(phaseOf(await send())).toBe('answered')
    clock.seconds += 61
    await send()
    await send()
    expect(server.used.slice(2)).toEqual(['older-secret', 'older-secret', 'newest-secret'])
    server.sendStatus = 403
    expect(await send()).toEqual({ kind: 'repeat' })
    expect(logged()).toMatchObject([REFUSED])
  })

  it('a callback is read with both', async () => {
    const { client } = await startRotation()
    const verdictOf = (secret: string) =>
      client.readCallback({ headers: {}, body: Buffer.from(secret) }).verdict
    expect(['newest-secret', 'older-secret', 'another'].map(verdictOf)).toEqual([
      'signed',
      'signed',
      'invalid',
    ])
  })
})

describe('a credential file', () => {
  it('is read again when it changes', async () => {
    const server = await startTokenServer()
    const path = fileOf('first-secret')
    const { client, send } = startClient({
      account: { baseUrl: server.url, credentialFiles: [{ apiKey: path }] },
      adapter: WITH_TOKEN,
    })
    await send()
    writeFileSync(path, ' second-secret \n')
    await expect
      .poll(async () => (await send(), server.used.at(-1)), { timeout: 20_000 })
      .toBe('token-of-second-secret-2')
    const body = Buffer.from('second-secret')
    expect(client.readCallback({ headers: {}, body }).verdict).toBe('signed')
  })

  it('that is missing or empty replaces nothing, and the log says so once', async () => {
    const server = await startTokenServer()
    const path = fileOf('first-secret')
    const { send, lines, metric } = startClient({
      account: { baseUrl: server.url, credentialFiles: [{ apiKey: path }] },
    })
    const unreadable = () => metric('provider_credentials_unreadable', { account: 'test' })
    const failures = () => lines.filter(({ msg }) => msg === 'worker failed, retrying')
    await send()
    rmSync(path)
    await until(() => failures().length > 0)
    expect(await unreadable()).toBe(1)
    writeFileSync(path, '\n')
    // Two polls.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    await send()
    expect(server.used).toEqual(['first-secret', 'first-secret'])
    expect(failures()).toHaveLength(1)
    const message = expect.stringContaining('account test: credentials.apiKeyFile must name')
    expect(failures()).toMatchObject([{ worker: 'provider_credentials', err: { message } }])
    writeFileSync(path, 'second-secret')
    await expect.poll(unreadable, { timeout: 20_000 }).toBe(0)
    await send()
    expect(server.used.at(-1)).toBe('second-secret')
    expect(JSON.stringify(lines)).not.toMatch(/(?:first|second)-secret/)
  })

  it('does not change a set whose other files stay as they are', async () => {
    const server = await startTokenServer()
    const [newest, older] = [fileOf('newest-secret'), fileOf('older-secret')]
    const { send, lines } = startClient({
      account: { baseUrl: server.url, credentialFiles: [{ apiKey: newest }, { apiKey: older }] },
      adapter: WITH_TOKEN,
    })
    await send()
    writeFileSync(older, 'oldest-secret')
    await until(() => lines.some(({ msg }) => msg === 'credentials loaded'))
    await send()
    expect(server.count('/token')).toBe(1)
  })

  it('is not read anymore once the client is closed', async () => {
    const server = await startRawServer({
      onRequest: ({ socket }) => socket.write(httpAnswer(202)),
    })
    const path = fileOf('first-secret')
    const { client, lines } = startClient({
      account: { baseUrl: server.url, credentialFiles: [{ apiKey: path }] },
    })
    await client.close()
    rmSync(path)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(lines).toEqual([])
  })
})

describe('an account with files that can’t be used', () => {
  const start = (account: object) => () =>
    startClient({ account: { baseUrl: 'http://127.0.0.1', ...account } })
  const missing = join(newFolder(), 'missing')
  const set = { apiKey: fileOf('secret') }

  it.each([
    [{ credentialFiles: [{ apiKey: missing }] }, 'credentials.apiKeyFile'],
    [{ credentialFiles: [{ apiKey: fileOf(' \n') }] }, 'credentials.apiKeyFile'],
    [{ credentialFiles: [set, { apiKey: missing }] }, 'credentials[1].apiKeyFile'],
    [{ caFile: missing }, 'caFile'],
    [{ caFile: fileOf('no certificate') }, 'caFile'],
    [{ clientCertFile: fileOf('no certificate') }, 'clientCertFile'],
  ])('has no client: %j', (account, field) => {
    expect(start(account)).toThrow(`account test: ${field} must name a readable file`)
  })

  it('has a line for each', () => {
    const account = { caFile: missing, credentialFiles: [{ apiKey: missing }] }
    expect(start(account)).toThrow(/caFile.*\n.*apiKeyFile/)
  })
})
