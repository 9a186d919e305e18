import { REVOCATION_CHANNEL } from '@malipo/kit/redis/session-revocation'
import { type RedisAccess, RIGHTS_KEY } from '@malipo/kit/redis/redis-access'

const TOKEN = `token:${RIGHTS_KEY}`
const SESSION = `session:${RIGHTS_KEY}`

const UNCACHED = 'auth validates each token'
const UNHEARD = 'each check of a token reads Redis'

export const REDIS_ACCESS: RedisAccess = {
  keys: ['token:*', 'session:*'],
  channels: [REVOCATION_CHANNEL],
  needs: [
    { command: ['time'], without: UNCACHED },
    { command: ['mget', TOKEN, SESSION], without: UNCACHED },
    { command: ['set', TOKEN, '', 'PX', '1'], without: UNCACHED },
    { command: ['set', SESSION, '', 'PX', '1'], without: UNCACHED },
    { command: ['pexpire', SESSION, '1'], without: UNCACHED },
    { command: ['del', TOKEN, SESSION], without: UNCACHED },
    { command: ['subscribe', REVOCATION_CHANNEL], without: UNHEARD },
  ],
  whenFull: 'validated tokens are not cached',
}
