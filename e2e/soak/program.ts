import { existsSync, globSync, rmSync } from 'node:fs'
import { freePort } from '@malipo/local/free-port'
import { logTo } from '@malipo/local/log-file'
import { type ProgramName, type Service, startService } from '@malipo/local/process'
import { freeze, thaw } from '../processes/freeze.ts'
import { FOLDER } from './settings.ts'

interface ProgramOptions {
  readonly name: ProgramName
  /** The name of this replica. */
  readonly label: string
  readonly env: Readonly<Record<string, string>>
  /** How far the clock of the process is ahead; a whole number. */
  readonly clockSeconds?: number
}

const READY_LIMIT_MS = 90_000

/** A process that is killed, frozen and started again, always with the same port. */
export class Program {
  /** When the process handled nothing; the last one may still be open. */
  readonly downtimes: { readonly from: number; to: number }[] = []
  /** Unexpected ends. */
  readonly unexpectedExits: string[] = []
  readonly port: number
  private readonly options: ProgramOptions
  private readonly write: (line: string) => void
  private service: Service | undefined

  private constructor(options: ProgramOptions, port: number) {
    this.options = options
    this.port = port
    this.write = logTo(`${FOLDER}/logs/${options.label.replaceAll(' ', '-')}.log`)
  }

  static async start(options: ProgramOptions, port?: number): Promise<Program> {
    const program = new Program(options, port ?? (await freePort()))
    await program.start()
    return program
  }

  get label(): string {
    return this.options.label
  }

  get origin(): URL {
    return new URL(`http://127.0.0.1:${this.port}`)
  }

  async start(): Promise<void> {
    const { name, label, env, clockSeconds = 0 } = this.options
    const own = { ...env, PORT: String(this.port), ...(clockSeconds && fakeClock(clockSeconds)) }
    this.service = await startService({
      name,
      env: own,
      onLine: this.write,
      onUnexpectedExit: (code) =>
        void this.unexpectedExits.push(`${label} exited with code ${code}`),
      readyLimitMs: READY_LIMIT_MS,
    })
    this.endDowntime()
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.beginDowntime()
    await this.service?.kill()
    this.clean()
  }

  /** SIGTERM: the process finishes what it has begun. */
  async stop(): Promise<void> {
    this.beginDowntime()
    const code = await this.service?.stop()
    if (code !== 0) this.unexpectedExits.push(`${this.label} stopped with the exit code ${code}`)
    this.clean()
  }

  /** SIGSTOP: connections stay open, and nothing answers. */
  freeze(): void {
    this.beginDowntime()
    freeze([this.service?.pid ?? 0])
  }

  thaw(): void {
    thaw([this.service?.pid ?? 0])
    this.endDowntime()
  }

  private beginDowntime() {
    this.downtimes.push({ from: Date.now(), to: Infinity })
  }

  private endDowntime() {
    const last = this.downtimes.at(-1)
    if (last?.to === Infinity) last.to = Date.now()
  }

  /** libfaketime leaves its shared memory behind, which would disturb another process with the same id. */
  private clean() {
    const id = this.service?.pid
    for (const name of [`faketime_shm_${id}`, `sem.faketime_sem_${id}`]) {
      rmSync(`/dev/shm/${name}`, { force: true })
    }
  }
}

/** The environment in which the clock of the day is ahead. Timers and timeouts use the monotonic clock, which is not. */
function fakeClock(seconds: number): Record<string, string> {
  return {
    LD_PRELOAD: faketimeLibrary(),
    FAKETIME: `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s`,
    DONT_FAKE_MONOTONIC: '1',
    // Times of files stay as they are.
    NO_FAKE_STAT: '1',
  }
}

function faketimeLibrary(): string {
  const [path] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  if (path && existsSync(path)) return path
  throw new Error('libfaketime is missing: apt-get install -y faketime')
}
