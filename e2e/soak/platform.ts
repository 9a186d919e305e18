import { rm } from 'node:fs/promises'
import { freePort } from '@malipo/local/free-port'
import { logTo } from '@malipo/local/log-file'
import type { Sql } from '../charges/records.ts'
import { Servers } from '../processes/servers.ts'
import { makeAccounts } from './accounts.ts'
import { REPLICAS, type Target } from './fault-plan.ts'
import { type Forwarder, startForwarder } from './forwarder.ts'
import { Program } from './program.ts'
import { COUNT, FOLDER, PACING, SEED, TIME_SCALE } from './settings.ts'

/**
 * PostgreSQL, Redis, two replicas of auth, three of payments and the simulator. Replicas call auth, and the simulator
 * calls payments, through a forwarder that knows nothing of the replicas' health.
 */

/** The clocks of three replicas are 30 s apart. */
const CLOCK_SECONDS: Readonly<Record<string, number>> = {
  'auth B': 30,
  'payments B': 30,
  'payments C': -30,
}
const TOKEN_SECONDS = 3 * 3_600

export class Platform {
  readonly servers: Servers
  private readonly programs = new Map<string, Program>()
  private readonly forwarders: Forwarder[] = []

  private constructor(servers: Servers) {
    this.servers = servers
  }

  static async start(): Promise<Platform> {
    await rm(FOLDER, { recursive: true, force: true })
    const servers = await Servers.start(FOLDER, logTo(`${FOLDER}/logs/postgres.log`))
    const platform = new Platform(servers)
    await platform.startPrograms()
    return platform
  }

  /** Runs a statement on the database of payments. */
  readonly sql: Sql = (text) => this.servers.sql('payments', text)

  program(target: Target): Program {
    const program = this.programs.get(target)
    if (!program) throw new Error(`${target} is no process of this suite`)
    return program
  }

  get payments(): readonly Program[] {
    return REPLICAS.payments.map((label) => this.program(label))
  }

  get simulator(): Program {
    return this.program('simulator')
  }

  get auth(): readonly Program[] {
    return REPLICAS.auth.map((label) => this.program(label))
  }

  get all(): readonly Program[] {
    return [...this.programs.values()]
  }

  async stop(): Promise<void> {
    for (const program of [...this.payments, ...this.auth, this.simulator]) await program.kill()
    for (const forwarder of this.forwarders) await forwarder.close()
    await this.servers.stop()
  }

  private async startPrograms() {
    const { servers } = this
    const ports = await freePorts(6)
    const [authPorts, paymentsPorts, [simulatorPort]] = [
      ports.slice(0, 2),
      ports.slice(2, 5),
      ports.slice(5),
    ]
    const auth = await this.forwardTo(authPorts)
    const callbacks = await this.forwardTo(paymentsPorts)
    const { providersFile, simulatorFile, webhookSecrets } = await makeAccounts(
      `${FOLDER}/providers`,
      `http://127.0.0.1:${simulatorPort}`,
      `http://localhost:${callbacks.port}`,
    )
    await Promise.all(
      REPLICAS.auth.map((label, n) =>
        this.startProgram('auth', label, authPorts[n], {
          ...servers.environment('auth'),
          JWT_EXPIRES_IN: String(TOKEN_SECONDS),
        }),
      ),
    )
    await this.startProgram('simulator', 'simulator', simulatorPort, {
      MODE: 'sandbox',
      ACCOUNTS_FILE: simulatorFile,
      BOOK_FILE: `${FOLDER}/book.jsonl`,
      BOOK_MAX_CHARGES: String(2 * COUNT),
      TIME_SCALE: String(TIME_SCALE),
      SEED,
      PERSONALITY_MIX: 'all',
    })
    await Promise.all(
      REPLICAS.payments.map((label, n) =>
        this.startProgram('payments', label, paymentsPorts[n], {
          ...servers.environment('payments'),
          AUTH_SERVICE_URL: `http://127.0.0.1:${auth.port}`,
          PROVIDERS_FILE: providersFile,
          WEBHOOK_SECRETS: webhookSecrets,
          CALLBACK_KEYS_FILE: servers.secretFile('callback-keys'),
          WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
          ...PACING,
        }),
      ),
    )
  }

  private async startProgram(
    name: 'auth' | 'payments' | 'simulator',
    label: string,
    port: number | undefined,
    env: Readonly<Record<string, string>>,
  ) {
    const clockSeconds = CLOCK_SECONDS[label]
    this.programs.set(label, await Program.start({ name, label, env, clockSeconds }, port))
  }

  private async forwardTo(ports: readonly number[]): Promise<Forwarder> {
    const forwarder = await startForwarder(ports)
    this.forwarders.push(forwarder)
    return forwarder
  }
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
