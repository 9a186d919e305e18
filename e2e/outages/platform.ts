import { freePort } from '@malipo/local/free-port'
import { type ServiceName, startService } from '@malipo/local/process'
import { randomWebhookSecret } from '@malipo/local/secret'
import { ReplicaLog } from '../processes/replica-log.ts'
import { Servers } from '../processes/servers.ts'
import { Link, type LinkName } from './link.ts'
import { Toxiproxy } from './toxiproxy.ts'

/**
 * Two replicas of each service with the same databases and the same Redis. Replica A reaches its dependencies through
 * links that can fail; replica B, the control, reaches them directly.
 */

export const SIDES = ['A', 'B'] as const
export type Side = (typeof SIDES)[number]

export interface Replica {
  readonly name: string
  readonly origin: URL
  readonly pid: number
  readonly log: ReplicaLog
  readonly stop: () => Promise<unknown>
}

const FOLDER = new URL('../../.data/outages', import.meta.url).pathname
export const REDIS_FOLDER = `${FOLDER}/redis`

export class Platform {
  readonly webhookSecret = randomWebhookSecret()
  readonly links = new Map<LinkName, Link>()
  replicas: Readonly<Record<ServiceName, Readonly<Record<Side, Replica>>>> | undefined
  readonly servers: Servers
  private readonly toxiproxy: Toxiproxy
  private readonly authPort: number

  private constructor(servers: Servers, toxiproxy: Toxiproxy, authPort: number) {
    this.servers = servers
    this.toxiproxy = toxiproxy
    this.authPort = authPort
  }

  static async start(): Promise<Platform> {
    const servers = await Servers.start(FOLDER)
    const platform = new Platform(servers, await Toxiproxy.start(), await freePort())
    await platform.openLinks()
    return platform
  }

  /** Starts both replicas of both services again, with this `DB_WAIT_MS`. */
  async restart(waitMs: number): Promise<void> {
    await this.stopReplicas()
    const [A, B] = await Promise.all([
      this.startReplica('auth', 'A', waitMs, { PORT: String(this.authPort) }),
      this.startReplica('auth', 'B', waitMs),
    ])
    const [throughLink, direct] = [`http://127.0.0.1:${this.link('payments→auth').port}`, B.origin]
    const [paymentsA, paymentsB] = await Promise.all([
      this.startReplica('payments', 'A', waitMs, { AUTH_SERVICE_URL: throughLink }),
      this.startReplica('payments', 'B', waitMs, { AUTH_SERVICE_URL: direct.href }),
    ])
    this.replicas = { auth: { A, B }, payments: { A: paymentsA, B: paymentsB } }
  }

  /** Starts another replica of payments with good links, which has no token in its memory. */
  async startFreshPayments(waitMs: number): Promise<Replica> {
    const AUTH_SERVICE_URL = this.replica('auth', 'B').origin.href
    return this.startReplica('payments', 'B', waitMs, { AUTH_SERVICE_URL })
  }

  replica(service: ServiceName, side: Side): Replica {
    if (!this.replicas) throw new Error('the services are not running')
    return this.replicas[service][side]
  }

  get running(): Replica[] {
    return Object.values(this.replicas ?? {}).flatMap(({ A, B }) => [A, B])
  }

  link(name: LinkName): Link {
    const link = this.links.get(name)
    if (!link) throw new Error(`unknown link ${name}`)
    return link
  }

  async stop(): Promise<void> {
    await this.stopReplicas()
    for (const link of this.links.values()) await link.close()
    await this.toxiproxy.stop()
    await this.servers.stop()
  }

  private async openLinks() {
    const { postgres, redis } = this.servers.ports
    const targets: Record<LinkName, number> = {
      'payments→auth': this.authPort,
      'payments→PostgreSQL': postgres,
      'payments→Redis': redis,
      'auth→PostgreSQL': postgres,
      'auth→Redis': redis,
    }
    for (const [name, port] of Object.entries(targets) as [LinkName, number][]) {
      this.links.set(name, await Link.start(name, this.toxiproxy, port))
    }
  }

  private async startReplica(
    name: ServiceName,
    side: Side,
    waitMs: number,
    own: Record<string, string> = {},
  ): Promise<Replica> {
    const log = new ReplicaLog()
    const env = { ...this.environment(name, side, waitMs), ...own }
    const onLine = (line: string) => log.add(line)
    const { url, pid, kill: stop } = await startService({ name, env, onLine })
    log.warnings.length = 0
    return { name: `${name} ${side}`, origin: new URL(url), pid, log, stop }
  }

  private environment(name: ServiceName, side: Side, waitMs: number): Record<string, string> {
    const links = {
      postgres: this.link(`${name}→PostgreSQL`).port,
      redis: this.link(`${name}→Redis`).port,
    }
    return {
      ...this.servers.environment(name, side === 'A' ? links : this.servers.ports),
      DB_WAIT_MS: String(waitMs),
      // Clients send from many addresses, so that no rate limit hides how a token is judged.
      TRUSTED_PROXIES: '127.0.0.0/8',
      ...(name === 'auth'
        ? { SESSIONS_PER_USER: '100' }
        : { WEBHOOK_SECRETS: `manual=${this.webhookSecret}` }),
    }
  }

  private async stopReplicas() {
    await Promise.all(this.running.map(({ stop }) => stop()))
    this.replicas = undefined
  }
}
