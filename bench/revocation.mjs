/**
 * Logs out a thousand tokens against three payments replicas under load. Each token is used at all three
 * until they have cached it, then logged out. From auth's response on, all three get requests until they
 * reject the token.
 *
 * @typedef {import('./environment.mjs').Services} Services
 * @typedef {import('./load.mjs').Request} Request
 */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { metric, send } from './work.mjs'

const LOGOUTS = 1_000
/** Concurrent users; each logs in and out in a loop. */
const USERS = 8
const LOAD_CONNECTIONS = 8
/** Requests before the logout: auth validates the first, the cache serves the second. */
const USES = 2
const PAUSE_MS = 200
const PASSWORD = 'an uncommon password of the bench'

/** @param {Services} services @param {Request[][]} reads the load on the replicas */
export async function measureRevocation(services, reads) {
  // A low bcrypt cost: the thousand logins are not measured.
  const auth = await services.startAnother('auth', { BCRYPT_COST: '4' })
  const others = [
    await services.startAnother('payments', {}),
    await services.startAnother('payments', {}),
  ]
  const replicas = [services.urls.payments, ...others.map(({ url }) => url)]
  const stopLoad = startLoad(replicas, reads)
  try {
    const users = Array.from({ length: USERS }, (_, i) => logOutRepeatedly(i, auth.url, replicas))
    const logouts = (await Promise.all(users)).flat()
    const rejected = logouts.map(({ rejectedMs }) => rejectedMs).toSorted((a, b) => a - b)
    const staleness = replicas.map((url) => metric(url, 'token_revocation_staleness_seconds'))
    return {
      logouts: logouts.length,
      rejectedMs: rejected.at(-1) ?? NaN,
      median: rejected[Math.floor(rejected.length / 2)] ?? NaN,
      acceptedMs: Math.max(...logouts.map(({ acceptedMs }) => acceptedMs)),
      staleness: Math.max(...(await Promise.all(staleness))),
    }
  } finally {
    stopLoad()
  }
}

/** One user's share of the logouts, sequentially. */
async function logOutRepeatedly(
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
 * Milliseconds after the logout's response: until every replica had rejected the token, and until the last
 * accepted request was sent; 0 if none was accepted.
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
      throw new Error(`a valid token got the statuses ${statuses.join(', ')}`)
  }
  await untilLoggedOut(auth, headers)
  const begin = performance.now()
  const found = await Promise.all(
    replicas.map(async (url) => {
      let acceptedMs = 0
      for (;;) {
        const sentMs = performance.now() - begin
        const status = await use(url)
        if (status === 401) return { rejectedMs: performance.now() - begin, acceptedMs }
        if (status === 200) acceptedMs = sentMs
      }
    }),
  )
  return {
    rejectedMs: Math.max(...found.map(({ rejectedMs }) => rejectedMs)),
    acceptedMs: Math.max(...found.map(({ acceptedMs }) => acceptedMs)),
  }
}

/**
 * Retries the logout while auth answers 503. It does so while it can't publish the revocation, as on an
 * overloaded machine; only 204 means that the revocation is in Redis.
 *
 * @param {string} auth
 * @param {Record<string, string>} headers
 */
async function untilLoggedOut(auth, headers) {
  for (;;) {
    const { status } = await fetch(`${auth}/api/auth/logout`, { method: 'POST', headers })
    if (status === 204) return
    if (status !== 503) throw new Error(`a logout got the status ${status}`)
    await sleep(PAUSE_MS)
  }
}

/** Sends reads to each replica until the returned function is called. @param {string[]} replicas @param {Request[][]} reads */
function startLoad(replicas, reads) {
  const clients = reads.slice(0, LOAD_CONNECTIONS)
  const loaders = replicas.map((url) => {
    const loader = fork(join(import.meta.dirname, 'load.mjs'))
    const go = () => loader.send({ url, seconds: 10, clients })
    loader.on('message', ({ failures }) => {
      if (failures > 0) console.error(`${failures} reads of the background load failed`)
      go()
    })
    go()
    return loader
  })
  return () => loaders.forEach((loader) => loader.kill())
}
