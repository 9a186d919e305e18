import { Database, type Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { timeLeftMs } from '@malipo/kit/telemetry/request-context'
import { Inject, Injectable } from '@nestjs/common'
import type { ClientContext } from '../client-context/client-context.js'
import { PasswordCheck } from '../passwords/password-check.js'
import { loginTooOld, tokenNotValid, wrongCredentials } from '../problems.js'
import type { ValidatedClaims } from '../tokens/tokens.service.js'

/** How long after a login its session creates keys without the password. */
const MAX_AGE_SECONDS = 300
/** Outside of a request. */
const DEADLINE_MS = 60_000

const SESSION_AGE: Statement = {
  name: 'session_age',
  text: `
    SELECT created_at > now() - make_interval(secs => ${MAX_AGE_SECONDS}) AS "isRecent",
           ${isoTime('clock_timestamp() + make_interval(secs => $3::float8 / 1000)')} AS deadline
    FROM sessions
    WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > now()`,
}

/** Requires the current password or a recent login, so that a stolen access token creates no key without end. */
@Injectable()
export class RecentLogin {
  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly passwords: PasswordCheck,
  ) {}

  /**
   * @returns the deadline of the request by the database's clock, ISO 8601
   * @throws Problem 401 for a wrong password, or without one and a recent login; 429, 503
   */
  async require(
    { sub, sid, phone }: ValidatedClaims,
    client: ClientContext,
    currentPassword: string | undefined,
  ): Promise<string> {
    if (currentPassword !== undefined) {
      const user = await this.passwords.check({ phone, client, sid }, currentPassword)
      if (!user) throw wrongCredentials('The current password is wrong.')
      return user.deadline
    }
    const [session] = await this.database.read((run) =>
      run<{ isRecent: boolean; deadline: string }>(SESSION_AGE, [
        sid,
        sub,
        timeLeftMs(DEADLINE_MS),
      ]),
    )
    if (!session) throw tokenNotValid()
    if (!session.isRecent) throw loginTooOld(MAX_AGE_SECONDS)
    return session.deadline
  }
}
