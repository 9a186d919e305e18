import { type Redis as Client, ReplyError } from 'ioredis'

/** A command that a service needs, in a form that changes nothing, and what happens without it. */
export interface RedisNeed {
  readonly command: readonly [name: string, ...args: string[]]
  readonly without: string
}

/** What the Redis user of a service must be allowed to do, and no more. */
export interface RedisAccess {
  /** Patterns of keys. */
  readonly keys: readonly string[]
  readonly channels: readonly string[]
  /** In an order in which they can be tried on one connection. */
  readonly needs: readonly RedisNeed[]
  /** What happens while Redis is full and evicts nothing. */
  readonly whenFull: string
}

/** The key with which rights are tried, after the prefix of a pattern. */
export const RIGHTS_KEY = 'rights-check'

/** What every connection needs. */
const CONNECTION: readonly RedisNeed[] = [
  { command: ['ping'], without: 'a server that is loading is not recognised' },
  {
    command: ['info', 'replication'],
    without: 'a changed data set and a demoted primary are not recognised',
  },
]

/** The rules of an ACL user with this access, in Redis' form. */
export function aclRules({ keys, channels, needs }: RedisAccess): string {
  const commands = [...CONNECTION, ...needs].map(({ command: [name] }) => `+${name}`)
  return [
    ...keys.map((pattern) => `~${pattern}`),
    'resetchannels',
    ...channels.map((channel) => `&${channel}`),
    '-@all',
    ...new Set(commands),
  ].join(' ')
}

/** Tries each command. @returns those that the user may not run, with their key or channel */
export async function missingRights(client: Client, { needs }: RedisAccess): Promise<RedisNeed[]> {
  const missing = []
  for (const need of [...CONNECTION, ...needs]) {
    if (await isRefused(client, need.command)) missing.push(need)
  }
  return missing
}

async function isRefused(client: Client, [name, ...args]: RedisNeed['command']): Promise<boolean> {
  try {
    // ioredis matches the replies to SUBSCRIBE by channel.
    await (name === 'subscribe' ? client.subscribe(...args) : client.call(name, ...args))
    return false
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    // A refused EXEC is answered with `EXECABORT Transaction discarded because of: NOPERM …`.
    return /\bNOPERM\b/.test((error as Error).message)
  }
}
