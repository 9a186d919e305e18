import { readFileSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { createCertificate } from '@malipo/testing/certificate'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { ProviderAccount } from '../src/providers/accounts.js'
import { stepsOf } from './provider-client/first-byte.js'
import { startProxyServer } from './provider-client/proxy-server.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'
import { testAdapter } from './provider-client/test-adapter.js'
import { fileOf, newFolder, phaseOf, startClient } from './provider-client/test-client.js'

/** TLS with the provider, and proxies on the way to it. */

interface Identity {
  readonly certFile: string
  readonly cert: string
  readonly key: string
}

async function identity(...names: readonly string[]): Promise<Identity> {
  const files = await createCertificate(newFolder(), ...names)
  const read = (path: string) => readFileSync(path, 'utf8')
  return { certFile: files.cert, cert: read(files.cert), key: read(files.key) }
}

let server: Identity
let client: Identity
let otherName: Identity

beforeAll(async () => {
  ;[server, client, otherName] = await Promise.all([
    identity('IP:127.0.0.1', 'DNS:localhost'),
    identity('DNS:client.example'),
    identity('DNS:provider.example'),
  ])
})

/** A provider that accepts charges over TLS. */
async function startProvider(options: TlsOptions) {
  const raw = await startRawServer({
    server: createTlsServer(options),
    onRequest: ({ socket }) => socket.write(httpAnswer(202)),
  })
  return { raw, baseUrl: `https://127.0.0.1:${raw.port}` }
}

const startFor = (account: Partial<ProviderAccount> & { baseUrl: string }) =>
  startClient({ account, adapter: testAdapter({ timeoutSeconds: 10 }) })

describe('TLS', () => {
  it('trusts the CA of the account', async () => {
    const { baseUrl } = await startProvider(server)
    const { send } = startFor({ baseUrl, caFile: server.certFile })
    expect(phaseOf(await send())).toBe('answered')
  })

  it('verifies the host name', async () => {
    const { raw, baseUrl } = await startProvider(server)
    const started = startFor({ baseUrl: `https://localhost:${raw.port}`, caFile: server.certFile })
    expect(phaseOf(await started.send())).toBe('answered')
    const other = await startProvider(otherName)
    const { send } = startFor({ baseUrl: other.baseUrl, caFile: otherName.certFile })
    expect(phaseOf(await send())).toBe('connecting')
    expect(other.raw.bytes).toBe(0)
    expect(baseUrl).toContain('127.0.0.1')
  })

  it('fails with a certificate of another CA, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    const { raw, baseUrl } = await startProvider(server)
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    try {
      for (const caFile of [undefined, client.certFile]) {
        const { send, lines } = startFor({ baseUrl, caFile })
        expect(phaseOf(await send())).toBe('connecting')
        expect(lines).toMatchObject([{ msg: 'the provider is unavailable' }])
      }
    } finally {
      vi.unstubAllEnvs()
    }
    expect(raw.bytes).toBe(0)
  })

  it('fails if the server speaks no TLS', async () => {
    const plain = await startRawServer({
      onConnection: (socket) => socket.write('HTTP/1.1 400\r\n'),
    })
    const { send } = startFor({ baseUrl: `https://127.0.0.1:${plain.port}` })
    expect(phaseOf(await send())).toBe('connecting')
  })

  it('presents the certificate of the account', async () => {
    const options = { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true }
    const { raw, baseUrl } = await startProvider(options)
    const clientCertFile = fileOf(client.cert + client.key)
    const { send } = startFor({ baseUrl, caFile: server.certFile, clientCertFile })
    expect(phaseOf(await send())).toBe('answered')
    const without = startFor({ baseUrl, caFile: server.certFile })
    // In TLS 1.3, a server refuses a client after the client's first bytes.
    expect(phaseOf(await without.send())).not.toBe('answered')
    expect(raw.requests).toHaveLength(1)
  })

  it('trusts a CA, and presents a certificate, that replaced the ones of the start', async () => {
    const options = { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true }
    const { baseUrl } = await startProvider(options)
    const caFile = fileOf(otherName.cert)
    const clientCertFile = fileOf(otherName.cert + otherName.key)
    const started = startFor({ baseUrl, caFile, clientCertFile })
    expect(phaseOf(await started.send())).toBe('connecting')
    writeFileSync(caFile, server.cert)
    writeFileSync(clientCertFile, client.cert)
    const unreadable = () => started.metric('provider_credentials_unreadable', { account: 'test' })
    // A certificate without its key is not used.
    await expect.poll(unreadable, { timeout: 20_000 }).toBe(1)
    writeFileSync(clientCertFile, client.cert + client.key)
    await expect.poll(unreadable, { timeout: 20_000 }).toBe(0)
    expect(phaseOf(await started.send())).toBe('answered')
    expect(started.lines.map(({ msg }) => msg)).toContain('certificates loaded')
  }, 60_000)

  it('needs the private key of the certificate', () => {
    for (const pem of [client.cert, client.cert + server.key]) {
      const account = { baseUrl: 'https://127.0.0.1', clientCertFile: fileOf(pem) }
      expect(() => startFor(account)).toThrow('account test: clientCertFile must name')
    }
  })
})

describe('a proxy', () => {
  it('opens a tunnel, in which TLS with the provider is verified', async () => {
    const { raw, baseUrl } = await startProvider(server)
    const proxy = await startProxyServer()
    const { send } = startFor({ baseUrl, caFile: server.certFile, proxyUrl: proxy.url })
    expect(phaseOf(await send())).toBe('answered')
    expect(proxy.targets).toEqual([`127.0.0.1:${raw.port}`])
    const untrusted = startFor({ baseUrl, caFile: otherName.certFile, proxyUrl: proxy.url })
    expect(phaseOf(await untrusted.send())).toBe('connecting')
    expect(raw.requests).toHaveLength(1)
  })

  it('passes the client certificate of the account, and may speak TLS itself', async () => {
    const options = { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true }
    const { baseUrl } = await startProvider(options)
    const proxy = await startProxyServer({ tls: server })
    const clientCertFile = fileOf(client.cert + client.key)
    const account = { baseUrl, caFile: server.certFile, clientCertFile, proxyUrl: proxy.url }
    expect(phaseOf(await startFor(account).send())).toBe('answered')
    expect(proxy.targets).toHaveLength(1)
  })

  it('tunnels plain HTTP of a sandbox as well', async () => {
    const plain = await startRawServer({ onRequest: ({ socket }) => socket.write(httpAnswer(202)) })
    const proxy = await startProxyServer()
    const { send } = startFor({ baseUrl: plain.url, proxyUrl: proxy.url })
    expect(phaseOf(await send())).toBe('answered')
    expect(proxy.targets).toEqual([`127.0.0.1:${plain.port}`])
  })

  it.each([
    ['refuses', (socket: Socket) => void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')],
    ['asks for credentials', (socket: Socket) => void socket.end('HTTP/1.1 407 Who\r\n\r\n')],
    ['closes the connection', (socket: Socket) => void socket.end()],
    ['resets the connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['answers garbage', (socket: Socket) => void socket.end('garbage\r\n\r\n')],
    [
      'opens a tunnel and resets it',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n')
        setTimeout(() => socket.resetAndDestroy(), 50)
      },
    ],
    [
      'opens a tunnel to no TLS',
      (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\nSSH\r\n'),
    ],
  ])('that %s is connected to once, and the request is `connecting`', async (_title, onConnect) => {
    const proxy = await startProxyServer({ onConnect })
    const { send } = startFor({ baseUrl: 'https://127.0.0.1:1', proxyUrl: proxy.url })
    let begun = 0
    expect(phaseOf(await send(() => ++begun > 0))).toBe('connecting')
    await sleep(200)
    expect([begun, proxy.connections]).toEqual([0, 1])
  })

  it('that does not answer is given up after 5 s', async () => {
    const proxy = await startProxyServer({ onConnect: () => undefined })
    const { send, lines } = startFor({ baseUrl: 'https://127.0.0.1:1', proxyUrl: proxy.url })
    const adapterTimeout = performance.now() + 9_500
    expect(phaseOf(await send())).toBe('connecting')
    expect(performance.now()).toBeLessThan(adapterTimeout)
    expect(lines).toMatchObject([{ err: { message: 'the proxy did not answer within 5000 ms' } }])
  })

  it('whose tunnel is reset after the request was written leaves it `sent`', async () => {
    const proxy = await startProxyServer({
      onConnect: (socket) => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n')
        socket.once('data', () => socket.resetAndDestroy())
      },
    })
    const { send } = startFor({ baseUrl: 'http://127.0.0.1:1', proxyUrl: proxy.url })
    expect(phaseOf(await send())).toBe('sent')
    await sleep(200)
    expect(proxy.connections).toBe(1)
  })

  it('that is not there leaves the request `connecting`', async () => {
    const { send } = startFor({ baseUrl: 'https://127.0.0.1:1', proxyUrl: 'http://127.0.0.1:1' })
    expect(phaseOf(await send())).toBe('connecting')
  })
})

describe('mayBegin', () => {
  it.each(['directly', 'through a proxy'])(
    'is called in the same tick as the first byte is written, with TLS %s',
    async (way) => {
      const { baseUrl } = await startProvider(server)
      const proxyUrl = way === 'directly' ? undefined : (await startProxyServer()).url
      const { send } = startFor({ baseUrl, caFile: server.certFile, proxyUrl })
      expect(await stepsOf(send)).toEqual(['begin', 'write', 'next tick'])
    },
  )
})
