import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { freePort } from '@malipo/local/free-port'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { runToEnd, type ServiceName, startService } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { persistentSecretFile, randomWebhookSecret } from '@malipo/local/secret'
import { Redis as RedisClient } from 'ioredis'
import pg from 'pg'
import { Link, type LinkName } from './link.ts'
import { ReplicaLog } from './replica-log.ts'
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
/** The database role of both services. */
export const ROLE = { name: 'service', password: randomBytes(16).toString('hex') }
/** The user of this suite in Redis: states change the rights of the services' user, `default`. */
const REDIS_ADMIN = { username: 'admin', password: randomBytes(16).toString('hex') }

export class Platform {
  readonly webhookSecret = randomWebhookSecret()
  readonly links = new Map<LinkName, Link>()
  replicas: Readonly<Record<ServiceName, Readonly<Record<Side, Replica>>>> | undefined
  readonly postgres: Postgres
  readonly redis: Redis
  private readonly toxiproxy: Toxiproxy
  private readonly authPort: number
  private readonly jwtSecret = randomBytes(32).toString('hex')

  private constructor(postgres: Postgres, redis: Redis, toxiproxy: Toxiproxy, authPort: number) {
    this.postgres = postgres
    this.redis = redis
    this.toxiproxy = toxiproxy
    this.authPort = authPort
  }

  static async start(): Promise<Platform> {
    const dataDir = `${FOLDER}/postgres`
    await rm(dataDir, { recursive: true, force: true })
    const flags = ['-c', 'fsync=off', '-c', 'max_connections=200']
    const postgres = await startPostgres({ dataDir, databases: ['auth', 'payments'], flags })
    const redis = await startOwnRedis()
    const toxiproxy = await Toxiproxy.start()
    const platform = new Platform(postgres, redis, toxiproxy, await freePort())
    await platform.prepare()
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

  /** Runs statements as the superuser; returns the first column of the last one, a string per row. */
  readonly sql = async (database: ServiceName | 'postgres', text: string): Promise<string[]> => {
    const client = await this.connect(database)
    try {
      // Several statements have an array of results.
      const results = [await client.query<unknown[]>({ text, rowMode: 'array' })].flat()
      return (results.at(-1)?.rows ?? []).map(([first]) => String(first))
    } finally {
      await client.end()
    }
  }

  async connect(database: ServiceName | 'postgres'): Promise<pg.Client> {
    const connectionString = this.postgres.url(database)
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 })
    // A restart of the server closes the connection.
    client.on('error', () => undefined)
    await client.connect()
    return client
  }

  /** Runs one Redis command as the administrator. */
  async redisCommand(command: string, ...args: (string | number)[]): Promise<unknown> {
    const client = this.redisClient()
    try {
      return await client.call(command, ...args)
    } finally {
      client.disconnect()
    }
  }

  redisClient(): RedisClient {
    const client = new RedisClient(this.redis.port, '127.0.0.1', REDIS_ADMIN)
    client.on('error', () => undefined)
    return client
  }

  async stop(): Promise<void> {
    await this.stopReplicas()
    for (const link of this.links.values()) await link.close()
    await this.toxiproxy.stop()
    await this.redis.stop()
    await this.postgres.stop()
  }

  /** Creates the role and the schema, and opens the links. */
  private async prepare() {
    await this.sql('postgres', `CREATE ROLE ${ROLE.name} LOGIN PASSWORD '${ROLE.password}'`)
    for (const name of ['auth', 'payments'] as const) {
      const env = { DATABASE_URL: this.postgres.url(name), DB_SERVICE_ROLE: ROLE.name }
      await runToEnd({ name, script: 'migrate', env })
    }
    const targets: Record<LinkName, number> = {
      'payments→auth': this.authPort,
      'payments→PostgreSQL': this.postgres.port,
      'payments→Redis': this.redis.port,
      'auth→PostgreSQL': this.postgres.port,
      'auth→Redis': this.redis.port,
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
    const port = (server: 'PostgreSQL' | 'Redis', direct: number) =>
      side === 'A' ? this.link(`${name}→${server}`).port : direct
    const keys = (file: string) => persistentSecretFile(`${FOLDER}/secrets/${file}`)
    return {
      MODE: 'sandbox',
      DATABASE_URL: `postgres://${ROLE.name}:${ROLE.password}@127.0.0.1:${port('PostgreSQL', this.postgres.port)}/${name}`,
      REDIS_URL: `redis://127.0.0.1:${port('Redis', this.redis.port)}`,
      DB_WAIT_MS: String(waitMs),
      // Clients send from many addresses, so that no rate limit hides how a token is judged.
      TRUSTED_PROXIES: '127.0.0.0/8',
      ...(name === 'auth'
        ? {
            JWT_SECRET: this.jwtSecret,
            REFRESH_KEYS_FILE: keys('refresh-keys'),
            BCRYPT_COST: '4',
            SESSIONS_PER_USER: '100',
          }
        : {
            WEBHOOK_SECRETS: `manual=${this.webhookSecret}`,
            TOKEN_CACHE_KEYS_FILE: keys('token-cache-keys'),
          }),
    }
  }

  private async stopReplicas() {
    await Promise.all(this.running.map(({ stop }) => stop()))
    this.replicas = undefined
  }
}

export const REDIS_FOLDER = `${FOLDER}/redis`

async function startOwnRedis(): Promise<Redis> {
  await rm(REDIS_FOLDER, { recursive: true, force: true })
  await mkdir(REDIS_FOLDER, { recursive: true })
  const user = `${REDIS_ADMIN.username} on >${REDIS_ADMIN.password} ~* &* +@all`
  const redis = await startRedis({ dataDir: REDIS_FOLDER, settings: { user } })
  if (!redis) throw new Error('redis-server or valkey-server is missing: install it and try again')
  return redis
}
