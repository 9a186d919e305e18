import { REVOCATION_CHANNEL } from '@malipo/kit/redis/session-revocation'
import { type RedisAccess, type RedisNeed, RIGHTS_KEY } from '@malipo/kit/redis/redis-access'

const SESSION = `session:${RIGHTS_KEY}`
const COUNTER = `auth:${RIGHTS_KEY}`

const REVOCATIONS = 'logouts get 503, and other services learn of no revocation'
const LIMITS = 'each replica counts rejected logins of a network alone'

const revocations = (...command: RedisNeed['command']) => ({ command, without: REVOCATIONS })
const limits = (...command: RedisNeed['command']) => ({ command, without: LIMITS })

/** After MULTI, Redis checks the rights of a command and only queues it. */
export const REDIS_ACCESS: RedisAccess = {
  keys: ['session:*', 'auth:*'],
  channels: [REVOCATION_CHANNEL],
  needs: [
    revocations('exec'),
    revocations('multi'),
    revocations('set', SESSION, '0', 'PX', '1'),
    revocations('publish', REVOCATION_CHANNEL, ''),
    limits('eval', 'return 0', '1', COUNTER),
    limits('evalsha', '0'.repeat(40), '1', COUNTER),
    limits('set', COUNTER, '0', 'PX', '1'),
    limits('incrby', COUNTER, '0'),
    limits('get', COUNTER),
    limits('pttl', COUNTER),
    limits('expire', COUNTER, '1'),
  ],
  whenFull: 'logouts get 503',
}
