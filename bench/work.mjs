/**
 * The four kinds of work, and what each connection sends: a user of its own, with a token and payments
 * of its own, as clients have. Both servers get the same requests.
 *
 * @typedef {import('./load.mjs').Request} Request
 * @typedef {object} Work
 * @property {string} name
 * @property {string} ours where it goes
 * @property {string} limit where the bare server is
 * @property {(url: string) => Request[][]} clientsOf
 * @property {string} [probed] a path of ours that is asked for meanwhile
 */

/** As many payments of its own a connection reads in turn. */
const READ = 4

const JSON_TYPE = { 'content-type': 'application/json' }
const PAYMENT = JSON.stringify({
  amount: 5000,
  currency: 'UGX',
  paymentMethod: 'MOBILE_MONEY',
  customerPhone: '+256772123456',
  customerEmail: 'customer@example.com',
  description: 'School fees',
  metadata: { order: '17' },
})

/**
 * @param {import('./stage.mjs').Stage} stage
 * @param {number} connections
 * @returns {Promise<Work[]>}
 */
export async function prepare({ urls: { auth, payments, limit }, password }, connections) {
  const phones = Array.from({ length: connections }, (_, i) => `+256${772_000_000 + i}`)
  const users = []
  /** @type {Record<string, Request[][]>} */
  const gets = { [payments]: [], [limit]: [] }
  // One after the other: hashing their passwords is work enough for a busy machine, and a cold process sheds a crowd.
  for (const phone of phones) {
    const user = await signUp(auth, phone, password)
    users.push(user)
    for (const [url, reads] of Object.entries(gets)) reads.push(await toRead(url, user.create))
  }
  const creates = users.map(({ create }) => [create, { ...create, keyed: true }])
  const validations = users.map(({ validate }) => [validate])
  const logins = users.map(({ login }) => [login])
  return [
    { name: 'create', ours: payments, limit, clientsOf: () => creates },
    { name: 'get', ours: payments, limit, clientsOf: (url) => gets[url] ?? [] },
    { name: 'validate', ours: auth, limit, clientsOf: () => validations },
    { name: 'login', ours: auth, limit, clientsOf: () => logins, probed: '/health/live' },
  ]
}

/**
 * Registers a user and gives the requests that they will send.
 *
 * @param {string} auth
 * @param {string} phone
 * @param {string} password
 */
async function signUp(auth, phone, password) {
  const body = JSON.stringify({ phone, email: `user${phone}@example.com`, password })
  await send(auth, { method: 'POST', path: '/api/auth/register', headers: JSON_TYPE, body })
  const login = {
    method: 'POST',
    path: '/api/auth/login',
    headers: JSON_TYPE,
    body: JSON.stringify({ phone, password }),
  }
  const { access_token: token } = await send(auth, login)
  const bearer = { authorization: `Bearer ${token}` }
  const headers = { ...JSON_TYPE, ...bearer }
  return {
    login,
    validate: { method: 'GET', path: '/api/auth/validate', headers: bearer },
    create: { method: 'POST', path: '/api/payments', headers, body: PAYMENT },
  }
}

/**
 * Makes payments and gives the requests that read them.
 *
 * @param {string} url
 * @param {Request} create
 * @returns {Promise<Request[]>}
 */
async function toRead(url, create) {
  const made = Array.from({ length: READ }, () => send(url, create))
  const { authorization = '' } = create.headers
  return (await Promise.all(made)).map(({ reference }) => {
    return { method: 'GET', path: `/api/payments/${reference}`, headers: { authorization } }
  })
}

/**
 * Sends one request, which must succeed.
 *
 * @param {string} url
 * @param {Request} request
 */
export async function send(url, { path, ...request }) {
  const answer = await fetch(url + path, request)
  if (answer.ok) return answer.json()
  throw new Error(`${request.method} ${path} answered ${answer.status}: ${await answer.text()}`)
}

/** The value of a line of /metrics. @param {string} url @param {string} name */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? NaN)
}
