import { setTimeout as sleep } from 'node:timers/promises'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import type { Toxic, Toxiproxy } from './toxiproxy.ts'

export const LINKS = [
  'payments→auth',
  'payments→PostgreSQL',
  'payments→Redis',
  'auth→PostgreSQL',
  'auth→Redis',
] as const
export type LinkName = (typeof LINKS)[number]

const FLAP_MS = 500

/** The network path of replica A to one dependency: Toxiproxy, then a proxy that can lose connections silently. */
export class Link {
  readonly port: number
  private readonly name: string
  private readonly toxiproxy: Toxiproxy
  private readonly silent: Proxy
  private flapping: AbortController | undefined
  private flaps: Promise<void> = Promise.resolve()
  private isLossy = false

  private constructor(name: string, port: number, toxiproxy: Toxiproxy, silent: Proxy) {
    this.name = name
    this.port = port
    this.toxiproxy = toxiproxy
    this.silent = silent
  }

  static async start(link: LinkName, toxiproxy: Toxiproxy, targetPort: number): Promise<Link> {
    const silent = await startProxy(targetPort)
    const name = link.replace('→', '-')
    return new Link(name, await toxiproxy.proxy(name, silent.port), toxiproxy, silent)
  }

  /** How many connections were opened. */
  get opened(): number {
    return this.silent.accepted
  }

  poison(...toxics: Toxic[]): Promise<void> {
    return this.toxiproxy.add(this.name, toxics)
  }

  refuse(): Promise<void> {
    return this.toxiproxy.enable(this.name, false)
  }

  /** Refuses and accepts connections in turn, until `repair`. */
  flap(): void {
    const flapping = new AbortController()
    this.flapping = flapping
    const flap = async () => {
      for (let n = 0; !flapping.signal.aborted; n++) {
        await this.toxiproxy.enable(this.name, n % 2 === 1)
        await sleep(FLAP_MS)
      }
    }
    this.flaps = flap()
  }

  /** Loses all connections without closing them; after `repair`, only new connections work. */
  loseSilently(): void {
    this.isLossy = true
    this.silent.lose(true)
  }

  async repair(): Promise<void> {
    this.flapping?.abort()
    await this.flaps
    if (this.isLossy) this.silent.lose(false)
    this.isLossy = false
    await this.toxiproxy.reset()
  }

  close(): Promise<void> {
    return this.silent.close()
  }
}
