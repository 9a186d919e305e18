import type { ServiceName } from '@malipo/local/process'
import * as client from '../drill/client.ts'
import { asksToRetry, type HttpRequest, type HttpResponse } from '../drill/http.ts'
import { type Call, expects, type Journal, type Sample, type Verdict } from './journal.ts'
import type { Side } from './platform.ts'

/** A session of an honest client. */
export interface Session {
  readonly sid: string
  token: string
  refreshToken: string
  /** Whether a logout was sent: from then on its tokens may be refused. */
  isLeaving: boolean
  /** When the logout was confirmed (ms since the epoch). */
  loggedOutAt?: number
}

/** A request with a token whose logout was confirmed, sent `afterMs` later. */
export interface RevokedUse {
  readonly where: string
  readonly afterMs: number
  readonly accepted: boolean
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

type Origin = (service: ServiceName, side: Side) => URL

/** Logs in, uses, refreshes and revokes sessions on either replica. */
export class Sessions {
  readonly all: Session[] = []
  readonly revokedUses: RevokedUse[] = []
  private readonly journal: Journal
  private readonly origin: Origin

  constructor(journal: Journal, origin: Origin) {
    this.journal = journal
    this.origin = origin
  }

  get revoked(): Session[] {
    return this.all.filter(({ loggedOutAt }) => loggedOutAt !== undefined)
  }

  async logIn(account: client.Account, side: Side): Promise<Session | undefined> {
    const { request } = client.login(account)
    const answer = await this.journal.call(this.toAuth('login', side, request, expects(200)))
    if (!answer) return undefined
    const { access_token: token, refresh_token: refreshToken } = answer.body as Tokens
    const session = { sid: sidIn(token), token, refreshToken, isLeaving: false }
    this.all.push(session)
    return session
  }

  /** Sends the session's token to payments. */
  use(session: Session, side: Side): Promise<Sample | undefined> {
    const request = client.list(session.token)
    const judge = unlessLeaving(session, expects(200))
    const origin = this.origin('payments', side)
    return this.journal.call({
      what: 'list',
      where: `payments ${side}`,
      side,
      origin,
      request,
      judge,
    })
  }

  validate(session: Session, side: Side): Promise<Sample | undefined> {
    const judge = unlessLeaving(session, (response) => {
      const verdict = expects(200)(response)
      return verdict === 'expected' && !isValid(response) ? 'refused' : verdict
    })
    return this.journal.call(this.toAuth('validate', side, validate(session.token), judge))
  }

  /** Refreshes; the client keeps its refresh token until it receives the successor. */
  async refresh(session: Session, side: Side): Promise<boolean> {
    const answer = await this.sendRefresh(session, session.refreshToken, side)
    if (!answer) return false
    const { access_token: token, refresh_token: refreshToken } = answer.body as Tokens
    Object.assign(session, { token, refreshToken })
    return true
  }

  /** Refreshes, then again with the same token, as after a lost response. */
  async refreshTwice(session: Session, side: Side): Promise<void> {
    const before = session.refreshToken
    if (!(await this.refresh(session, side))) return
    const again = await this.sendRefresh(session, before, side, (response) => {
      const { refresh_token: successor } = response.body as Tokens
      return successor === session.refreshToken ? 'expected' : 'wrong'
    })
    if (again) session.token = (again.body as Tokens).access_token
  }

  async logOut(session: Session, side: Side): Promise<void> {
    session.isLeaving = true
    const request = client.logout(session.token)
    const answer = await this.journal.call(this.toAuth('logout', side, request, expects(204)))
    if (answer) session.loggedOutAt = Date.now()
  }

  /** Sends a revoked token to payments or auth. */
  async useRevoked(session: Session, service: ServiceName, side: Side, fresh?: URL) {
    const where = fresh ? 'a fresh replica' : `${service} ${side}`
    const [at, loggedOutAt = 0] = [Date.now(), session.loggedOutAt]
    const isAccepted = (response: HttpResponse) =>
      service === 'auth' ? isValid(response) : response.status === 200
    const sample = await this.journal.once({
      what: 'use of a revoked token',
      where,
      side,
      origin: fresh ?? this.origin(service, side),
      request: service === 'auth' ? validate(session.token) : client.list(session.token),
      // Acceptance is counted below; only another response than a refusal is judged here.
      judge: (response) => {
        if (response.status === 401 || response.status === 200) return 'expected'
        return asksToRetry(response) ? 'busy' : 'wrong'
      },
    })
    const accepted = isAccepted(sample)
    this.revokedUses.push({ where, afterMs: at - loggedOutAt, accepted })
  }

  private sendRefresh(
    session: Session,
    refreshToken: string,
    side: Side,
    judge: (response: HttpResponse) => Verdict = () => 'expected',
  ): Promise<Sample | undefined> {
    const body = { refresh_token: refreshToken }
    const request = { method: 'POST', path: '/api/auth/refresh', body } as const
    return this.journal.call(
      this.toAuth('refresh', side, request, (response) => {
        const verdict = expects(200)(response)
        return verdict === 'expected' ? judge(response) : verdict
      }),
    )
  }

  private toAuth(what: string, side: Side, request: HttpRequest, judge: Call['judge']): Call {
    return { what, where: `auth ${side}`, side, origin: this.origin('auth', side), request, judge }
  }
}

/** After a logout was sent, a refusal is as good as an acceptance: the logout may have taken effect. */
function unlessLeaving(session: Session, judge: Call['judge']): Call['judge'] {
  return (response) => {
    const verdict = judge(response)
    return verdict === 'refused' && session.isLeaving ? 'expected' : verdict
  }
}

function validate(token: string): HttpRequest {
  return {
    method: 'GET',
    path: '/api/auth/validate',
    headers: { authorization: `Bearer ${token}` },
  }
}

function isValid({ status, body }: HttpResponse): boolean {
  return status === 200 && (body as { valid?: boolean }).valid === true
}

function sidIn(token: string): string {
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return (JSON.parse(claims) as { sid: string }).sid
}
