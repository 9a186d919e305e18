import { setTimeout as sleep } from 'node:timers/promises'
import * as client from './client.ts'
import { send } from './http.ts'

/**
 * Users log out during faults and keep using their old tokens: after the response to a logout, no replica may accept
 * the token. Failed requests (503 or no response) do not count as accepted.
 */

/** Every replica must reject the token within this time after the response to the logout. */
const REVOKED_WITHIN_MS = 1_000
const PAUSE_MS = 1_000
const USE_INTERVAL_MS = 50
/** Number of revoked tokens used in turn, each a few times per second. */
const TOKENS_IN_ROTATION = 8

/** A token of a revoked session, and when the logout was confirmed (ms since the epoch). */
interface RevokedToken {
  readonly token: string
  readonly at: number
}

/** One use of a revoked token: when it was sent, how long after the logout, and the status. */
interface Use {
  readonly sentAt: number
  readonly afterMs: number
  readonly status: number
}

/** Logouts in a time span. */
export interface LogoutStats {
  readonly logouts: number
  /** How long after its logout a token was last accepted. */
  readonly lastAcceptedMs: number
  readonly problems: readonly string[]
}

export class LogoutLoad {
  private readonly account = client.newAccount()
  private readonly revoked: RevokedToken[] = []
  private readonly uses: Use[] = []
  private readonly rejectedEarly: number[] = []
  private isStopping = false
  private running: Promise<unknown> = Promise.resolve()

  async start() {
    await send(client.register(this.account).request)
    this.running = Promise.all([this.logInAndOut(), this.useRevokedTokens()])
  }

  async stop() {
    this.isStopping = true
    await this.running
  }

  between(from: number, to: number): LogoutStats {
    const isIn = (at: number) => at >= from && at < to
    const uses = this.uses.filter(({ sentAt }) => isIn(sentAt))
    const accepted = uses.filter(({ status }) => status === 200)
    const late = accepted.filter(({ afterMs }) => afterMs > REVOKED_WITHIN_MS)
    const early = this.rejectedEarly.filter(isIn)
    const isRejected = uses.some(({ status }) => status === 401)
    return {
      logouts: this.revoked.filter(({ at }) => isIn(at)).length,
      lastAcceptedMs: Math.max(0, ...accepted.map(({ afterMs }) => afterMs)),
      problems: [
        ...late
          .slice(0, 5)
          .map(({ afterMs }) => `a token was accepted ${afterMs} ms after its logout`),
        ...early.map((at) => `401 before its logout at ${new Date(at).toISOString()}`),
        ...(isRejected ? [] : ['no revoked token was rejected']),
      ],
    }
  }

  private async logInAndOut() {
    while (!this.isStopping) {
      const token = await this.login()
      if (token !== undefined) await this.logout(token)
      await sleep(PAUSE_MS)
    }
  }

  /** A new token, used several times so that replicas cache it; undefined if the login failed. */
  private async login(): Promise<string | undefined> {
    const { status, body } = await send(client.login(this.account).request)
    if (status !== 200) return undefined
    const token = client.tokenIn(body)
    for (let n = 0; n < 4; n++) {
      const at = Date.now()
      if ((await send(client.list(token))).status === 401) this.rejectedEarly.push(at)
    }
    return token
  }

  /** Repeats a logout until it is confirmed; 503 means that the revocation is still pending. */
  private async logout(token: string) {
    while (!this.isStopping) {
      const { status } = await send(client.logout(token))
      if (status === 204) return void this.revoked.push({ token, at: Date.now() })
      await sleep(PAUSE_MS / 2)
    }
  }

  private async useRevokedTokens() {
    for (let n = 0; !this.isStopping; n++) {
      await sleep(USE_INTERVAL_MS)
      const old = this.revoked.at(-1 - (n % TOKENS_IN_ROTATION))
      if (old) void this.use(old)
    }
  }

  private async use({ token, at: revokedAt }: RevokedToken) {
    const sentAt = Date.now()
    const { status } = await send(client.list(token))
    this.uses.push({ sentAt, afterMs: sentAt - revokedAt, status })
  }
}
