/**
 * A thousand logouts against three payments replicas under load. Each token is used at all three until it
 * is known to them without a look at Redis, then logged out; from auth's answer on, all three are asked
 * over and over until they refuse.
 *
 * @typedef {import('./stage.mjs').Stage} Stage
 * @typedef {import('./load.mjs').Request} Request
 */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { metric, send } from './work.mjs'

const LOGOUTS = 1_000
/** How many are at it at once, and how many tokens one user has in turn. */
const USERS = 8
const LOAD_CONNECTIONS = 8
/** Uses of a token before its logout: the first is asked about, the second known. */
const USES = 2
const PAUSE_MS = 200
const PASSWORD = 'words that nobody guesses at the bench'

/** @param {Stage} stage @param {Request[][]} reads what loads the replicas */
export async function measureRevocation(stage, reads) {
  // Cheap hashes: a thousand logins are not what is measured.
  const auth = await stage.also('auth', { BCRYPT_COST: '4' })
  const others = [await stage.also('payments', {}), await stage.also('payments', {})]
  const replicas = [stage.urls.payments, ...others.map(({ url }) => url)]
  const endLoad = load(replicas, reads)
  try {
    const users = Array.from({ length: USERS }, (_, i) => seriesOf(i, auth.url, replicas))
    const found = (await Promise.all(users)).flat()
    const refused = found.map(({ refusedMs }) => refusedMs).toSorted((a, b) => a - b)
    const staleness = replicas.map((url) => metric(url, 'token_revocation_staleness_seconds'))
    return {
      logouts: found.length,
      refusedMs: refused.at(-1) ?? NaN,
      median: refused[Math.floor(refused.length / 2)] ?? NaN,
      acceptedMs: Math.max(...found.map(({ acceptedMs }) => acceptedMs)),
      staleness: Math.max(...(await Promise.all(staleness))),
    }
  } finally {
    endLoad()
  }
}

/** One user's share of the logouts, one after the other. */
async function seriesOf(
  /** @type {number} */ user,
  /** @type {string} */ auth,
  /** @type {string[]} */ replicas,
) {
  const phone = `+256${773_000_000 + user}`
  const json = { 'content-type': 'application/json' }
  const post = (/** @type {string} */ path, /** @type {object} */ body) =>
    send(auth, { method: 'POST', path, headers: json, body: JSON.stringify(body) })
  await post('/api/auth/register', { phone, email: `user${phone}@example.com`, password: PASSWORD })
  const found = []
  for (let i = 0; i < LOGOUTS / USERS; i++) {
    const { access_token: token } = await post('/api/auth/login', { phone, password: PASSWORD })
    found.push(await logout(auth, replicas, { authorization: `Bearer ${token}` }))
  }
  return found
}

/**
 * Milliseconds after the logout's answer: until every replica had refused, and until the last answer of
 * one that still accepted was asked for; 0 when none was.
 *
 * @param {string} auth
 * @param {string[]} replicas
 * @param {Record<string, string>} headers
 */
async function logout(auth, replicas, headers) {
  const use = async (/** @type {string} */ url) => {
    const answer = await fetch(`${url}/api/payments?limit=1`, { headers })
    await answer.arrayBuffer()
    return answer.status
  }
  for (let n = 0; n < USES; n++) {
    const statuses = await Promise.all(replicas.map(use))
    if (statuses.some((status) => status !== 200))
      throw new Error(`a good token was answered ${statuses.join(', ')}`)
  }
  await untilLoggedOut(auth, headers)
  const begin = performance.now()
  const found = await Promise.all(
    replicas.map(async (url) => {
      let acceptedMs = 0
      for (;;) {
        const askedMs = performance.now() - begin
        const status = await use(url)
        if (status === 401) return { refusedMs: performance.now() - begin, acceptedMs }
        if (status === 200) acceptedMs = askedMs
      }
    }),
  )
  return {
    refusedMs: Math.max(...found.map(({ refusedMs }) => refusedMs)),
    acceptedMs: Math.max(...found.map(({ acceptedMs }) => acceptedMs)),
  }
}

/**
 * Auth answers 503 while it can't tell Redis, as on a machine that is far too busy: then it is asked again,
 * for only its 204 says that the session is over everywhere.
 *
 * @param {string} auth
 * @param {Record<string, string>} headers
 */
async function untilLoggedOut(auth, headers) {
  for (;;) {
    const { status } = await fetch(`${auth}/api/auth/logout`, { method: 'POST', headers })
    if (status === 204) return
    if (status !== 503) throw new Error(`a logout was answered ${status}`)
    await sleep(PAUSE_MS)
  }
}

/** Loads each replica with reads until it is ended. @param {string[]} replicas @param {Request[][]} reads */
function load(replicas, reads) {
  const clients = reads.slice(0, LOAD_CONNECTIONS)
  const loaders = replicas.map((url) => {
    const loader = fork(join(import.meta.dirname, 'load.mjs'))
    const go = () => loader.send({ url, seconds: 10, clients })
    loader.on('message', ({ failures }) => {
      if (failures > 0) console.error(`${failures} reads of the load failed`)
      go()
    })
    go()
    return loader
  })
  return () => loaders.forEach((loader) => loader.kill())
}
