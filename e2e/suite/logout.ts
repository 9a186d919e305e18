import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { type Client, register, login } from './http.ts'
import { type Platform, RELEASE, selectorOf } from './platform.ts'

/**
 * After a logout no replica accepts the token, whatever fails in the meantime. Each pod is called continuously from
 * inside, since a load balancer could hide a single replica that still accepts it.
 */

const PORT = 4000
/** Every replica must reject the token within this time after the response to the logout. */
const REVOKED_WITHIN_MS = 1_000
/** Extra time for requests in flight at the end. */
const GRACE_MS = 40_000
/** Printed by a pod once it has accepted every token. */
const READY_MESSAGE = 'every token was accepted'
const READY_WITHIN_MS = 60_000

interface Fault {
  /** Longer than the fault and the logout after it take. */
  readonly durationMs: number
  inject(platform: Platform): Promise<unknown>
}

/**
 * Faults injected after the logout of the first of three sessions. The second session logs out after the fault, the
 * third stays logged in.
 */
const FAULTS: Record<string, Fault> = {
  'without a fault': { durationMs: 8_000, inject: () => Promise.resolve() },
  'Redis is deleted': {
    durationMs: 20_000,
    inject: (platform) => deletePods(platform, selectorOf('redis')),
  },
  'auth is killed': {
    durationMs: 30_000,
    inject: (platform) => deletePods(platform, selectorOf('auth')),
  },
  "auth's database is deleted": {
    durationMs: 30_000,
    inject: (platform) =>
      deletePods(platform, `cnpg.io/cluster=${RELEASE}-auth-db,cnpg.io/podRole=instance`),
  },
}

export async function checkLogout(platform: Platform): Promise<void> {
  for (const [name, fault] of Object.entries(FAULTS)) {
    await check(`no replica accepts a token after its logout: ${name}`, () =>
      testLogouts(platform, fault),
    )
  }
}

async function testLogouts(platform: Platform, fault: Fault): Promise<string> {
  const { client } = platform
  // Until auth is ready after the fault of the previous check, the edge answers 404 or 503.
  const account = await eventually('a registration', () => register(client))
  const [first, second, third] = [
    await login(client, account),
    await login(client, account),
    await login(client, account),
  ]
  const pods = await platform.pods('payments')
  const probes = pods.map((pod) =>
    startProbe(platform, pod, [first, second, third], fault.durationMs),
  )
  await Promise.all(probes.map(({ ready }) => ready))
  const firstLogout = await logOut(client, first)
  await fault.inject(platform)
  const logouts = [firstLogout, await logOut(client, second), NO_LOGOUT]
  const uses = await Promise.all(probes.map(({ uses }) => uses))
  const lastAcceptedMs = pods.flatMap((pod, i) =>
    logouts.map((logout, n) => assertRevoked(uses[i]?.[n] ?? [], logout, `${pod}, token ${n}`)),
  )
  return `${uses.flat(2).length} uses, a revoked token was last accepted ${Math.max(...lastAcceptedMs)} ms after its logout`
}

/** When a logout was first requested and when it was confirmed, in ms since the epoch. */
interface Logout {
  readonly sentAt: number
  readonly confirmedAt: number
}

const NO_LOGOUT: Logout = { sentAt: Infinity, confirmedAt: Infinity }

/** @returns how long after its logout a token was last accepted, in ms */
function assertRevoked(uses: readonly Use[], logout: Logout, name: string): number {
  const accepted = uses.filter(({ status }) => status === 200)
  const rejected = uses.filter(({ status }) => status === 401)
  if (accepted.length === 0) throw new Error(`${name}: never accepted`)
  if (rejected.some(({ answeredAt }) => answeredAt < logout.sentAt)) {
    throw new Error(`${name}: rejected before its logout`)
  }
  if (logout === NO_LOGOUT) return 0
  const lastMs = Math.max(0, ...accepted.map(({ sentAt }) => sentAt - logout.confirmedAt))
  if (lastMs > REVOKED_WITHIN_MS) throw new Error(`${name}: accepted ${lastMs} ms after its logout`)
  if (uses.at(-1)?.status !== 401) throw new Error(`${name}: last status ${uses.at(-1)?.status}`)
  return lastMs
}

/** Repeats a logout until it is confirmed; 503 means that the revocation is still pending. */
async function logOut(client: Client, token: string): Promise<Logout> {
  const sentAt = Date.now()
  return eventually('a logout', async () => {
    const { status, text } = await client({ method: 'POST', path: '/api/auth/logout', token })
    if (status !== 204) throw new Error(`${status} ${text}`)
    return { sentAt, confirmedAt: Date.now() }
  })
}

/** One use of a token; times in ms since the epoch, by the clock of the node. */
interface Use {
  readonly sentAt: number
  readonly answeredAt: number
  readonly status: number
}

interface Probe {
  /** Resolves when the pod has accepted each token. */
  readonly ready: Promise<unknown>
  /** The uses of each token, until `durationMs` after `ready`. */
  readonly uses: Promise<Use[][]>
}

/** Uses each token in a pod ten times per second. */
function startProbe(
  { namespace }: Platform,
  pod: string,
  tokens: readonly string[],
  durationMs: number,
): Probe {
  const program = `
    const tokens = ${JSON.stringify(tokens)}
    const accepted = new Set()
    let end = Date.now() + ${READY_WITHIN_MS}
    const all = await Promise.all(tokens.map(async (token) => {
      const uses = []
      while (Date.now() < end) {
        const sentAt = Date.now()
        const headers = { authorization: 'Bearer ' + token }
        const { status } = await fetch('http://127.0.0.1:${PORT}/api/payments', { headers })
        uses.push({ sentAt, answeredAt: Date.now(), status })
        if (status === 200 && !accepted.has(token) && accepted.add(token).size === tokens.length) {
          end = Date.now() + ${durationMs}
          console.log('${READY_MESSAGE}')
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return uses
    }))
    console.log(JSON.stringify(all))`
  const ready = Promise.withResolvers<void>()
  const output = namespace.node(pod, program, {
    timeoutMs: READY_WITHIN_MS + durationMs + GRACE_MS,
    onOutput: (text) => text.startsWith(READY_MESSAGE) && ready.resolve(),
  })
  const uses = output.then((text) => JSON.parse(text.slice(READY_MESSAGE.length)) as Use[][])
  // Rejects `ready` if the program ends first; has no effect after it resolved.
  uses.then(() => ready.reject(new Error(`${pod}: a token was never accepted`)), ready.reject)
  return { ready: ready.promise, uses }
}

async function deletePods({ namespace }: Platform, selector: string): Promise<void> {
  const byForce = ['--force', '--grace-period=0', '--wait=false']
  await namespace.kubectl(['delete', 'pod', `--selector=${selector}`, ...byForce])
}
