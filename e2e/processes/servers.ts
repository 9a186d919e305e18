import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { runToEnd, type ServiceName } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { persistentSecretFile, sealKeysFolder } from '@malipo/local/secret'
import { Redis as RedisClient } from 'ioredis'
import pg from 'pg'

/** An empty PostgreSQL and Redis for replicas of both services on this machine. */

/** The database role of both services. */
export const ROLE = { name: 'service', password: randomBytes(16).toString('hex') }
/** The user of a suite in Redis: a suite may change the rights of the services' user, `default`. */
const REDIS_ADMIN = { username: 'admin', password: randomBytes(16).toString('hex') }

const SERVICES = ['auth', 'payments'] as const

/** The ports at which a replica reaches its servers. */
interface Ports {
  readonly postgres: number
  readonly redis: number
}

export class Servers {
  readonly postgres: Postgres
  readonly redis: Redis
  private readonly folder: string
  private readonly jwtSecret = randomBytes(32).toString('hex')

  private constructor(folder: string, postgres: Postgres, redis: Redis) {
    this.folder = folder
    this.postgres = postgres
    this.redis = redis
  }

  /** Starts both servers, and creates the role and the schema. @param folder of their data, which is emptied */
  static async start(folder: string, onPostgresLine?: (line: string) => void): Promise<Servers> {
    const dataDir = `${folder}/postgres`
    await rm(dataDir, { recursive: true, force: true })
    const flags = ['-c', 'fsync=off', '-c', 'max_connections=200']
    const databases = SERVICES
    const postgres = await startPostgres({ dataDir, databases, flags, onLine: onPostgresLine })
    const servers = new Servers(folder, postgres, await startOwnRedis(`${folder}/redis`))
    await servers.sql('postgres', `CREATE ROLE ${ROLE.name} LOGIN PASSWORD '${ROLE.password}'`)
    for (const name of SERVICES) {
      const env = { DATABASE_URL: postgres.url(name), DB_SERVICE_ROLE: ROLE.name }
      await runToEnd({ name, script: 'migrate', env })
    }
    return servers
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

  /** The environment of a replica: what all suites set alike. */
  environment(name: ServiceName, ports: Ports = this.ports): Record<string, string> {
    return {
      MODE: 'sandbox',
      DATABASE_URL: `postgres://${ROLE.name}:${ROLE.password}@127.0.0.1:${ports.postgres}/${name}`,
      REDIS_URL: `redis://127.0.0.1:${ports.redis}`,
      ...(name === 'auth'
        ? {
            JWT_SECRET: this.jwtSecret,
            REFRESH_KEYS_FILE: this.secretFile('refresh-keys'),
            BCRYPT_COST: '4',
          }
        : {
            TOKEN_CACHE_KEYS_FILE: this.secretFile('token-cache-keys'),
            WEBHOOK_ENCRYPTION_KEYS_DIR: sealKeysFolder(`${this.folder}/secrets/encryption`),
          }),
    }
  }

  /** The path of a file with a random secret. */
  secretFile(name: string): string {
    return persistentSecretFile(`${this.folder}/secrets/${name}`)
  }

  get ports(): Ports {
    return { postgres: this.postgres.port, redis: this.redis.port }
  }

  async stop(): Promise<void> {
    await this.redis.stop()
    await this.postgres.stop()
  }
}

async function startOwnRedis(dataDir: string): Promise<Redis> {
  await rm(dataDir, { recursive: true, force: true })
  await mkdir(dataDir, { recursive: true })
  const user = `${REDIS_ADMIN.username} on >${REDIS_ADMIN.password} ~* &* +@all`
  const redis = await startRedis({ dataDir, settings: { user } })
  if (!redis) throw new Error('redis-server or valkey-server is missing: install it and try again')
  return redis
}
