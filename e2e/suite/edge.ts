import { check } from '../checks.ts'
import { type HttpResponse, type Client, register, login } from './http.ts'

/** The edge forwards the public routes of the contract, and no other route in any encoding. */

type Route = readonly [method: string, path: string]

const ID = '0197a3c0-0000-7000-8000-000000000000'

/** The routes of the contract, except `/validate`. */
export const PUBLIC: readonly Route[] = [
  ['POST', '/api/auth/register'],
  ['POST', '/api/auth/login'],
  ['POST', '/api/auth/refresh'],
  ['POST', '/api/auth/logout'],
  ['POST', '/api/auth/password'],
  ['GET', '/api/auth/me'],
  ['GET', '/api/auth/sessions'],
  ['DELETE', `/api/auth/sessions/${ID}`],
  ['PUT', `/api/auth/users/${ID}/scopes`],
  ['POST', `/api/auth/merchants/${ID}/close`],
  ['POST', '/api/auth/keys'],
  ['GET', '/api/auth/keys'],
  ['POST', `/api/auth/keys/${ID}/rotate`],
  ['DELETE', `/api/auth/keys/${ID}`],
  ['GET', '/api/auth/audit'],
  ['GET', '/.well-known/jwks.json'],
  ['POST', '/api/payments'],
  ['GET', '/api/payments'],
  ['GET', '/api/payments?limit=1'],
  ['GET', `/api/payments/PAY-${ID}`],
  ['GET', `/api/payments/PAY-${ID}/events`],
  ['POST', `/api/payments/PAY-${ID}/status`],
  ['POST', '/api/payments/webhook/provider'],
  ['POST', '/api/webhook-endpoints'],
  ['GET', '/api/webhook-endpoints'],
  ['GET', `/api/webhook-endpoints/${ID}`],
  ['PATCH', `/api/webhook-endpoints/${ID}`],
  ['DELETE', `/api/webhook-endpoints/${ID}`],
  ['POST', `/api/webhook-endpoints/${ID}/rotate-secret`],
  ['GET', '/api/events'],
  ['GET', `/api/webhook-endpoints/${ID}/deliveries`],
  ['POST', `/api/webhook-endpoints/${ID}/ping`],
  ['POST', `/api/webhook-endpoints/${ID}/replay`],
  ['GET', '/api/notifications'],
  ['GET', `/api/deliveries/${ID}`],
  ['POST', `/api/deliveries/${ID}/resend`],
]

/** Encodings of a path that some proxies and servers normalize to another path. */
const PATH_VARIANTS: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => `${path}/`,
  (path) => `${path}?x=1`,
  (path) => `${path};x=1`,
  (path) => `${path}%20`,
  (path) => `${path}%00`,
  (path) => `${path}#x`,
  (path) => `/${path}`,
  (path) => `/.${path}`,
  (path) => `/%2e${path}`,
  (path) => path.replace(/\/([^/]*)$/, '//$1'),
  (path) => path.replace(/\/([^/]*)$/, '/./$1'),
  (path) => path.replace(/\/([^/]*)$/, '%2f$1'),
  (path) => path.replace(/\/([^/]*)$/, '%252f$1'),
  (path) => path.replace(/\/([^/]*)$/, '\\$1'),
  (path) => path.replace(/[a-z]$/, (last) => `%${last.charCodeAt(0).toString(16)}`),
  (path) =>
    path.replace(/\/([a-z])([^/]*)$/, (_, first: string, rest: string) => {
      return `/%${first.charCodeAt(0).toString(16)}${rest}`
    }),
  (path) => path.replace(/[a-z]$/, (last) => `%25${last.charCodeAt(0).toString(16)}`),
  (path) => path.toUpperCase(),
  ...['..', '%2e%2e', '%2E.', '.%2e', '%252e%252e', '..;', '..%00', '%c0%ae%c0%ae'].flatMap(
    (up) => [
      (path: string) => `/api/auth/me/${up}/${up}/${up}${path}`,
      (path: string) => `/api/auth/sessions/${up}/${up}/${up}${path}`,
      (path: string) => `/api/auth/users/x/${up}/${up}/${up}/${up}${path}`,
      (path: string) => `/api/payments/${up}/${up}${path}`,
      (path: string) => `/api/payments/x/${up}/${up}/${up}${path}`,
      (path: string) => `/.well-known/${up}${path}`,
    ],
  ),
  ...['..%2f', '%2e%2e%2f', '..%5c', '..\\'].flatMap((up) => [
    (path: string) => `/api/payments/${up}${up}${path.slice(1)}`,
    (path: string) => `/api/auth/sessions/${up}${up}${up}${path.slice(1)}`,
  ]),
  // Absolute form with the Service's hostname, as for forward proxies.
  (path) => `http://malipo-auth:3002${path}`,
  (path) => `http://malipo-payments:4000${path}`,
]

const PRIVATE = [
  '/api/auth/validate',
  '/metrics',
  '/health',
  '/health/live',
  '/health/ready',
  '/docs',
  '/docs-json',
  '/docs-yaml',
  '/docs/swagger-ui.css',
]

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY']
const CONCURRENCY = 8

/** Checks both lists with a valid token. */
export async function checkEdge(kind: string, client: Client): Promise<void> {
  await check(`${kind}: every public route reaches its service`, async () => {
    for (const [method, path] of PUBLIC) await assertReachesService(client, method, path)
    return `${PUBLIC.length} routes`
  })
  await check(`${kind}: no private route is reachable in any encoding`, async () => {
    const token = await login(client, await register(client))
    const paths = PRIVATE.flatMap((path) => PATH_VARIANTS.map((variantOf) => variantOf(path)))
    const requests = [
      ...paths.map((path): Route => ['GET', path]),
      ...PRIVATE.flatMap((path) => METHODS.map((method): Route => [method, path])),
    ]
    const reached: string[] = []
    const queue = requests.values()
    const worker = async () => {
      for (const [method, path] of queue) {
        const response = await client({ method, path, token })
        if (isReached(response)) {
          reached.push(`${method} ${path}: ${response.status} ${response.text}`)
        }
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, worker))
    if (reached.length > 0) throw new Error(reached.join('\n').slice(0, 2_000))
    return `${requests.length} requests`
  })
  await check(`${kind}: ignores headers that rewrite the path`, async () => {
    for (const header of [
      'x-original-url',
      'x-rewrite-url',
      'x-forwarded-uri',
      'x-forwarded-prefix',
    ]) {
      const { status } = await client({ path: '/api/auth/me', headers: { [header]: '/metrics' } })
      if (status !== 401) throw new Error(`${header}: ${status}`)
    }
  })
}

/** Services send `x-request-id` with every response; proxies do not. */
function comesFromService(response: HttpResponse): boolean {
  return response.headers['x-request-id'] !== undefined
}

async function assertReachesService(client: Client, method: string, path: string): Promise<void> {
  const response = await client({ method, path, ...(method === 'GET' ? {} : { body: {} }) })
  if (!comesFromService(response)) throw new Error(`${method} ${path}: ${response.status}`)
}

/**
 * Whether a private route answered: any status except 404 and 400 shows that the route exists. That includes
 * redirects.
 */
function isReached({ status, text }: HttpResponse): boolean {
  if (status === 404 || status === 400) return false
  // A variant that matches a public route with an id, such as `DELETE /api/auth/sessions/{id}`, reaches only that route.
  return !(status === 405 && text.includes('"instance":"/api/'))
}
