import { setTimeout as sleep } from 'node:timers/promises'
import * as client from './client.ts'
import { send } from './edge.ts'

/**
 * Users who log out whatever goes wrong, and go on trying the tokens that they had: once the answer to a
 * logout is there, no replica may take one any more. Doubt (503, an answer that never came) is no fault here.
 */

/** Promised: a second after the answer to a logout, every replica refuses. */
const PROMISED_MS = 1_000
const PAUSE_MS = 1_000
const TRY_EVERY_MS = 50
/** Old tokens are tried by turns: each of them a few times a second. */
const TRIED = 8

/** A token whose session is over, and when its user knew so (ms since the epoch). */
interface Left {
  readonly token: string
  readonly at: number
}

/** One use of such a token: when it was sent, that is how long after the logout's answer, and what came. */
interface Use {
  readonly at: number
  readonly afterMs: number
  readonly status: number
}

/** What a span of time says of logouts. */
export interface Leaving {
  readonly logouts: number
  /** How long after its logout's answer the last use was sent that was still taken. */
  readonly takenMs: number
  readonly problems: readonly string[]
}

export class Leavers {
  private readonly account = client.newAccount()
  private readonly left: Left[] = []
  private readonly uses: Use[] = []
  private readonly refusedEarly: number[] = []
  private ends = false
  private running: Promise<unknown> = Promise.resolve()

  async start() {
    await send(client.register(this.account).call)
    this.running = Promise.all([this.leave(), this.tryAgain()])
  }

  async stop() {
    this.ends = true
    await this.running
  }

  between(from: number, to: number): Leaving {
    const isIn = (at: number) => at >= from && at < to
    const uses = this.uses.filter(({ at }) => isIn(at))
    const taken = uses.filter(({ status }) => status === 200)
    const late = taken.filter(({ afterMs }) => afterMs > PROMISED_MS)
    const early = this.refusedEarly.filter(isIn)
    const isRefused = uses.some(({ status }) => status === 401)
    return {
      logouts: this.left.filter(({ at }) => isIn(at)).length,
      takenMs: Math.max(0, ...taken.map(({ afterMs }) => afterMs)),
      problems: [
        ...late.slice(0, 5).map(({ afterMs }) => `taken ${afterMs} ms after its logout`),
        ...early.map((at) => `401 before its logout at ${new Date(at).toISOString()}`),
        ...(isRefused ? [] : ['no token of a session that is over was refused']),
      ],
    }
  }

  private async leave() {
    while (!this.ends) {
      const token = await this.login()
      if (token !== undefined) await this.logout(token)
      await sleep(PAUSE_MS)
    }
  }

  /** A new token that replicas have come to know; undefined when there was none to be had. */
  private async login(): Promise<string | undefined> {
    const { status, body } = await send(client.login(this.account).call)
    if (status !== 200) return undefined
    const token = client.tokenIn(body)
    for (let n = 0; n < 4; n++) {
      const at = Date.now()
      if ((await send(client.list(token))).status === 401) this.refusedEarly.push(at)
    }
    return token
  }

  /** Until it is answered: a 503 says that not everyone was told yet. */
  private async logout(token: string) {
    while (!this.ends) {
      const { status } = await send(client.logout(token))
      if (status === 204) return void this.left.push({ token, at: Date.now() })
      await sleep(PAUSE_MS / 2)
    }
  }

  private async tryAgain() {
    for (let n = 0; !this.ends; n++) {
      await sleep(TRY_EVERY_MS)
      const old = this.left.at(-1 - (n % TRIED))
      if (old) void this.use(old)
    }
  }

  private async use({ token, at: leftAt }: Left) {
    const at = Date.now()
    const { status } = await send(client.list(token))
    this.uses.push({ at, afterMs: at - leftAt, status })
  }
}
