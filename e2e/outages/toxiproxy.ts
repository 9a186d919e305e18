import { type Child, startChild } from '@malipo/local/child'
import { freePort } from '@malipo/local/free-port'
import { eventually } from '../cluster.ts'
import { installGo, installOnce, requireProgram } from '../pinned-tools.ts'

/** Toxiproxy (https://github.com/Shopify/toxiproxy): a TCP proxy whose faults are set over HTTP. */

const MODULE = 'github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0'
const FOLDER = new URL('../../.data/outages', import.meta.url).pathname
const PROGRAM = `${FOLDER}/bin/server`
/** Removing a toxic waits for the data that the toxic delays. */
const API_LIMIT_MS = 20_000

/** A fault of one direction of a connection; `downstream` is from the server to the client. */
export interface Toxic {
  readonly type:
    'bandwidth' | 'latency' | 'limit_data' | 'reset_peer' | 'slicer' | 'slow_close' | 'timeout'
  readonly stream: 'upstream' | 'downstream'
  readonly attributes: Readonly<Record<string, number>>
}

export async function installToxiproxy(): Promise<void> {
  await requireProgram('go', ['version'], 'Go (golang)')
  const install = () => installGo(FOLDER, [MODULE])
  await installOnce({ folder: FOLDER, pins: [MODULE], programs: [PROGRAM], install })
}

export class Toxiproxy {
  private readonly child: Child
  private readonly url: string

  private constructor(child: Child, url: string) {
    this.child = child
    this.url = url
  }

  static async start(): Promise<Toxiproxy> {
    const port = await freePort()
    const child = startChild({
      command: [PROGRAM, '-host', '127.0.0.1', '-port', String(port)],
      env: { LOG_LEVEL: 'error' },
      parentDeathSignal: 'SIGKILL',
    })
    const toxiproxy = new Toxiproxy(child, `http://127.0.0.1:${port}`)
    await eventually('Toxiproxy starts', () => toxiproxy.call('GET', '/version'), { everyMs: 50 })
    return toxiproxy
  }

  /** Starts a proxy on a free port, which it returns. */
  async proxy(name: string, upstreamPort: number): Promise<number> {
    const upstream = `127.0.0.1:${upstreamPort}`
    const proxy = { name, listen: '127.0.0.1:0', upstream, enabled: true }
    const { listen } = (await this.call('POST', '/proxies', proxy)) as { listen: string }
    return Number(listen.split(':').at(-1))
  }

  async add(proxy: string, toxics: readonly Toxic[]): Promise<void> {
    for (const toxic of toxics) {
      const named = { ...toxic, name: `${toxic.type} ${toxic.stream}` }
      await this.call('POST', `/proxies/${proxy}/toxics`, named)
    }
  }

  /** A disabled proxy closes its connections and refuses new ones. */
  async enable(proxy: string, enabled: boolean): Promise<void> {
    await this.call('POST', `/proxies/${proxy}`, { enabled })
  }

  /** Removes all toxics and enables all proxies. */
  async reset(): Promise<void> {
    await this.call('POST', '/reset')
  }

  stop(): Promise<number> {
    return this.child.end('SIGTERM', 5_000)
  }

  private async call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(API_LIMIT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`Toxiproxy: ${method} ${path}: ${response.status} ${text}`)
    return text.startsWith('{') ? JSON.parse(text) : text
  }
}
