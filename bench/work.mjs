/**
 * The four kinds of work, and the requests of each connection: every connection has its own user, token and
 * payments. Both servers get the same requests.
 *
 * @typedef {import('./load.mjs').Request} Request
 * @typedef {object} Work
 * @property {string} name
 * @property {string} ours the URL of the measured service
 * @property {string} limit the URL of the bare server
 * @property {(url: string) => Request[][]} clientsOf
 * @property {string} [probed] a path of the service that is requested under load
 */

/** The number of payments that a connection reads in turn. */
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
 * @param {import('./environment.mjs').Services} services
 * @param {number} connections
 * @returns {Promise<Work[]>}
 */
export async function prepare({ urls: { auth, payments, limit }, password }, connections) {
  const phones = Array.from({ length: connections }, (_, i) => `+256${772_000_000 + i}`)
  const users = []
  // Other accounts, because each login beyond the limit of sessions revokes the account's oldest session.
  const logins = []
  /** @type {Record<string, Request[][]>} */
  const gets = { [payments]: [], [limit]: [] }
  // One after the other: hashing loads a busy machine, and a cold process sheds concurrent requests.
  for (const phone of phones) {
    const user = await signUp(auth, phone, password)
    users.push(user)
    logins.push([await register(auth, phone.replace('+256772', '+256774'), password)])
    for (const [url, reads] of Object.entries(gets)) reads.push(await toRead(url, user.create))
  }
  const creates = users.map(({ create }) => [create, { ...create, keyed: true }])
  const validations = users.map(({ validate }) => [validate])
  return [
    { name: 'create', ours: payments, limit, clientsOf: () => creates },
    { name: 'get', ours: payments, limit, clientsOf: (url) => gets[url] ?? [] },
    { name: 'validate', ours: auth, limit, clientsOf: () => validations },
    { name: 'login', ours: auth, limit, clientsOf: () => logins, probed: '/health/live' },
  ]
}

/**
 * Registers a user and returns the request that logs the user in.
 *
 * @param {string} auth
 * @param {string} phone
 * @param {string} password
 */
export async function register(auth, phone, password) {
  const body = JSON.stringify({ phone, email: `user${phone}@example.com`, password })
  await send(auth, { method: 'POST', path: '/api/auth/register', headers: JSON_TYPE, body })
  return {
    method: 'POST',
    path: '/api/auth/login',
    headers: JSON_TYPE,
    body: JSON.stringify({ phone, password }),
  }
}

/**
 * Registers a user, logs the user in and returns the requests of that user.
 *
 * @param {string} auth
 * @param {string} phone
 * @param {string} password
 */
export async function signUp(auth, phone, password) {
  const { access_token: token } = await send(auth, await register(auth, phone, password))
  const bearer = { authorization: `Bearer ${token}` }
  const headers = { ...JSON_TYPE, ...bearer }
  return {
    validate: { method: 'GET', path: '/api/auth/validate', headers: bearer },
    create: { method: 'POST', path: '/api/payments', headers, body: PAYMENT },
  }
}

/**
 * Creates an API key of a user who has just logged in.
 *
 * @param {string} auth
 * @param {Request} create a request of the user, with a token
 * @returns {Promise<string>}
 */
export async function newKey(auth, create) {
  const body = JSON.stringify({ name: 'server', scopes: ['payments:read', 'payments:write'] })
  return (await send(auth, { ...create, path: '/api/auth/keys', body })).key
}

/**
 * Creates payments and returns the requests that read them.
 *
 * @param {string} url
 * @param {Request} create
 * @returns {Promise<Request[]>}
 */
export async function toRead(url, create) {
  const created = Array.from({ length: READ }, () => send(url, create))
  const { authorization = '' } = create.headers
  return (await Promise.all(created)).map(({ reference }) => {
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
  const response = await fetch(url + path, request)
  if (response.ok) return response.json()
  throw new Error(`${request.method} ${path} returned ${response.status}: ${await response.text()}`)
}

/** The value of a line of /metrics. @param {string} url @param {string} name */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? NaN)
}
