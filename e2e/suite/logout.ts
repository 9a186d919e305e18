import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { type Client, register, tokenOf } from './http.ts'
import { type Platform, RELEASE, selectorOf } from './platform.ts'

/**
 * After a logout no replica takes the token, whatever goes wrong meanwhile. Each pod is asked from inside
 * it, all the time, since behind the edge one that still says yes could hide.
 */

const PORT = 4000
/** Promised: a second after the answer to a logout, every replica refuses. */
const PROMISED_MS = 1_000
/** A use may be on its way when the time is over. */
const LATE_MS = 40_000
/** What a pod says once it has taken every token. */
const KNOWN = 'every token was taken'
const KNOWN_WITHIN_MS = 60_000

interface Fault {
  /** Longer than it takes, with the second logout after it. */
  readonly watchedMs: number
  happen(platform: Platform): Promise<unknown>
}

/** What goes wrong once the first of three sessions is over; the second ends after it, the third goes on. */
const FAULTS: Record<string, Fault> = {
  'nothing goes wrong': { watchedMs: 8_000, happen: () => Promise.resolve() },
  'Redis is deleted': {
    watchedMs: 20_000,
    happen: (platform) => remove(platform, selectorOf('redis')),
  },
  'auth is killed': {
    watchedMs: 30_000,
    happen: (platform) => remove(platform, selectorOf('auth')),
  },
  "auth's database is lost": {
    watchedMs: 30_000,
    happen: (platform) =>
      remove(platform, `cnpg.io/cluster=${RELEASE}-auth-db,cnpg.io/podRole=instance`),
  },
}

export async function checkLogout(platform: Platform): Promise<void> {
  for (const [what, fault] of Object.entries(FAULTS)) {
    await check(`after a logout no replica takes the token: ${what}`, () =>
      logouts(platform, fault),
    )
  }
}

async function logouts(platform: Platform, fault: Fault): Promise<string> {
  const { client } = platform
  const account = await register(client)
  const [first, second, kept] = [
    await tokenOf(client, account),
    await tokenOf(client, account),
    await tokenOf(client, account),
  ]
  const pods = await platform.pods('payments')
  const watching = pods.map((pod) => watch(platform, pod, [first, second, kept], fault.watchedMs))
  await Promise.all(watching.map(({ known }) => known))
  const firstEnd = await loggedOut(client, first)
  await fault.happen(platform)
  const ends = [firstEnd, await loggedOut(client, second), NEVER]
  const seen = await Promise.all(watching.map(({ uses }) => uses))
  const last = pods.flatMap((pod, i) =>
    ends.map((end, of) => judged(seen[i]?.[of] ?? [], end, `${pod}, token ${of}`)),
  )
  return `${seen.flat(2).length} uses, the last one taken was sent ${Math.max(...last)} ms after the logout`
}

/** A session's end: when it was first asked for and when it was answered, in ms since the epoch. */
interface End {
  readonly askedAt: number
  readonly at: number
}

const NEVER: End = { askedAt: Infinity, at: Infinity }

/** @returns how long after its logout a token was last taken, in ms */
function judged(uses: readonly Use[], end: End, whose: string): number {
  const taken = uses.filter(({ status }) => status === 200)
  const refused = uses.filter(({ status }) => status === 401)
  if (taken.length === 0) throw new Error(`${whose}: never taken`)
  if (refused.some(({ answeredAt }) => answeredAt < end.askedAt)) {
    throw new Error(`${whose}: refused while it was good`)
  }
  if (end === NEVER) return 0
  const lastMs = Math.max(0, ...taken.map(({ sentAt }) => sentAt - end.at))
  if (lastMs > PROMISED_MS) throw new Error(`${whose}: taken ${lastMs} ms after its logout`)
  if (uses.at(-1)?.status !== 401) throw new Error(`${whose}: at last ${uses.at(-1)?.status}`)
  return lastMs
}

/** Logs out as often as it takes: a 503 says that not everyone was told yet. */
async function loggedOut(client: Client, token: string): Promise<End> {
  const askedAt = Date.now()
  return eventually('a logout', async () => {
    const { status, text } = await client({ method: 'POST', path: '/api/auth/logout', token })
    if (status !== 204) throw new Error(`${status} ${text}`)
    return { askedAt, at: Date.now() }
  })
}

/** One use of a token; times in ms since the epoch, by the clock of the pod's node. */
interface Use {
  readonly sentAt: number
  readonly answeredAt: number
  readonly status: number
}

interface Watch {
  /** When the pod has taken each of the tokens. */
  readonly known: Promise<unknown>
  /** Of each token; they go on for `watchedMs` from then. */
  readonly uses: Promise<Use[][]>
}

/** Uses each of the tokens in a pod, ten times a second. */
function watch(
  { namespace }: Platform,
  pod: string,
  tokens: readonly string[],
  watchedMs: number,
): Watch {
  const program = `
    const tokens = ${JSON.stringify(tokens)}
    const taken = new Set()
    let end = Date.now() + ${KNOWN_WITHIN_MS}
    const all = await Promise.all(tokens.map(async (token) => {
      const uses = []
      while (Date.now() < end) {
        const sentAt = Date.now()
        const headers = { authorization: 'Bearer ' + token }
        const { status } = await fetch('http://127.0.0.1:${PORT}/api/payments', { headers })
        uses.push({ sentAt, answeredAt: Date.now(), status })
        if (status === 200 && !taken.has(token) && taken.add(token).size === tokens.length) {
          end = Date.now() + ${watchedMs}
          console.log('${KNOWN}')
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return uses
    }))
    console.log(JSON.stringify(all))`
  const known = Promise.withResolvers<void>()
  const output = namespace.node(pod, program, {
    timeoutMs: KNOWN_WITHIN_MS + watchedMs + LATE_MS,
    heard: (text) => text.startsWith(KNOWN) && known.resolve(),
  })
  const uses = output.then((text) => JSON.parse(text.slice(KNOWN.length)) as Use[][])
  // Whoever waits for `known` is told first, unless it was known by then.
  uses.then(() => known.reject(new Error(`${pod}: a token was never taken`)), known.reject)
  return { known: known.promise, uses }
}

async function remove({ namespace }: Platform, selector: string): Promise<void> {
  const byForce = ['--force', '--grace-period=0', '--wait=false']
  await namespace.kubectl(['delete', 'pod', `--selector=${selector}`, ...byForce])
}
