import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { createCertificate } from '@malipo/testing/certificate'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startEgress } from './egress/test-egress.js'
import { startProxyServer } from './provider-client/proxy-server.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'

/** TLS with endpoints, and a proxy on the way to them. */

const folder = mkdtempSync(join(tmpdir(), 'malipo-egress-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Identity {
  readonly cert: string
  readonly key: string
}

async function identity(...names: readonly string[]): Promise<Identity> {
  const files = await createCertificate(mkdtempSync(join(folder, 'certificate-')), ...names)
  const read = (path: string) => readFileSync(path, 'utf8')
  return { cert: read(files.cert), key: read(files.key) }
}

let server: Identity
let otherName: Identity
beforeAll(async () => {
  ;[server, otherName] = await Promise.all([
    identity('IP:127.0.0.1', 'DNS:localhost', 'DNS:merchant.example'),
    identity('DNS:other.example'),
  ])
})

async function startEndpoint({ cert, key }: Identity) {
  const raw = await startRawServer({
    server: createTlsServer({ cert, key }),
    onRequest: ({ socket }) => socket.write(httpAnswer(200, 'ok')),
  })
  return { raw, url: `https://localhost:${raw.port}` }
}

describe('TLS', () => {
  it('verifies the certificate and the host, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    const right = await startEndpoint(server)
    const wrong = await startEndpoint(otherName)
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    try {
      const { post } = startEgress({ ca: server.cert })
      expect(await post(right.url)).toMatchObject({ kind: 'answered', status: 200 })
      expect(await startEgress({ ca: otherName.cert }).post(wrong.url)).toMatchObject({
        error: 'tls',
      })
      expect(await startEgress().post(right.url)).toMatchObject({ error: 'tls' })
    } finally {
      vi.unstubAllEnvs()
    }
    expect([right.raw.requests.length, wrong.raw.bytes]).toEqual([1, 0])
  })

  it('uses its connections again', async () => {
    const { raw, url } = await startEndpoint(server)
    const { post } = startEgress({ ca: server.cert })
    for (let nth = 0; nth < 3; nth++) expect(await post(url)).toMatchObject({ status: 200 })
    expect(raw.connections).toBe(1)
  })

  it('fails with a server that does not speak it', async () => {
    const plain = await startRawServer({
      onConnection: (socket) => socket.write('HTTP/1.1 400\r\n'),
    })
    const { post } = startEgress()
    expect(await post(`https://127.0.0.1:${plain.port}`)).toMatchObject({ error: 'tls' })
  })
})

describe('a proxy', () => {
  /** Names are not resolved here. */
  const resolve = () => Promise.reject(new Error('must not be called'))

  /** A proxy that connects each tunnel to a port of this machine. */
  async function startProxyTo(port: number) {
    const { connect } = await import('node:net')
    return startProxyServer({
      onConnect: (client) => {
        const upstream = connect(port, '127.0.0.1', () => {
          client.write('HTTP/1.1 200 Connected\r\n\r\n')
          upstream.pipe(client).pipe(upstream)
        })
        upstream.on('error', () => client.destroy())
        client.on('close', () => upstream.destroy())
      },
    })
  }

  it('opens a tunnel to the name, which it resolves, and TLS in it is verified', async () => {
    const { raw } = await startEndpoint(server)
    const proxy = await startProxyTo(raw.port)
    const settings = { resolve, proxyUrl: proxy.url, policy: { allowHosts: [] } }
    const { post } = startEgress({ ...settings, ca: server.cert })
    expect(await post('https://merchant.example/a')).toMatchObject({ status: 200, answer: 'ok' })
    expect(proxy.targets).toEqual(['merchant.example:443'])
    expect(await post('https://wrong.example/a')).toMatchObject({ error: 'tls' })
    expect(await startEgress(settings).post('https://merchant.example')).toMatchObject({
      error: 'tls',
    })
    expect(raw.requests).toHaveLength(1)
  })

  it('is not asked for forbidden literals and internal names', async () => {
    const proxy = await startProxyServer()
    const settings = { resolve, proxyUrl: proxy.url, policy: { allowHosts: [] } }
    const { post } = startEgress(settings)
    const hosts = [
      '127.0.0.1',
      '[::1]',
      '169.254.169.254',
      '0x7f.1',
      '[::ffff:10.0.0.1]',
      'localhost',
    ]
    for (const host of hosts) {
      expect(await post(`https://${host}/`)).toMatchObject({ error: 'forbidden_address' })
    }
    expect(proxy.connections).toBe(0)
  })

  it.each<[title: string, onConnect: (socket: Socket) => void]>([
    ['refuses', (socket) => void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')],
    ['closes the connection', (socket) => void socket.end()],
    ['resets the connection', (socket) => void socket.resetAndDestroy()],
    ['does not answer', () => undefined],
  ])('that %s is connected to once, and the try is `connect`', async (_title, onConnect) => {
    const proxy = await startProxyServer({ onConnect })
    const { post } = startEgress({ resolve, proxyUrl: proxy.url })
    expect(await post('https://merchant.example')).toMatchObject({
      kind: 'failed',
      error: 'connect',
    })
    expect(proxy.connections).toBe(1)
  })
})
