import { check } from '../checks.ts'
import { type Answer, type Client, register, tokenOf } from './http.ts'

/** What the edge lets through: the contract's public routes, and nothing else by whatever spelling. */

type Route = readonly [method: string, path: string]

const ID = '0197a3c0-0000-7000-8000-000000000000'

/** The contract's two tables without `/validate`. */
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
  ['GET', '/api/auth/audit'],
  ['GET', '/.well-known/jwks.json'],
  ['POST', '/api/payments'],
  ['GET', '/api/payments'],
  ['GET', '/api/payments?limit=1'],
  ['GET', `/api/payments/PAY-${ID}`],
  ['GET', `/api/payments/PAY-${ID}/events`],
  ['POST', `/api/payments/PAY-${ID}/status`],
  ['POST', '/api/payments/webhook/provider'],
]

/** Ways to write a path that some proxies and servers understand as another. */
const DISGUISES: readonly ((path: string) => string)[] = [
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
  // In the form for proxies, with the service's own name.
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
const AT_ONCE = 8

/** Both lists, tried with the token of a user who is logged in. */
export async function checkEdge(kind: string, client: Client): Promise<void> {
  await check(`${kind}: every public route reaches its service`, async () => {
    for (const [method, path] of PUBLIC) await mustReach(client, method, path)
    return `${PUBLIC.length} routes`
  })
  await check(`${kind}: nothing private is reached, however it is written`, async () => {
    const token = await tokenOf(client, await register(client))
    const paths = PRIVATE.flatMap((path) => DISGUISES.map((disguise) => disguise(path)))
    const tries = [
      ...paths.map((path): Route => ['GET', path]),
      ...PRIVATE.flatMap((path) => METHODS.map((method): Route => [method, path])),
    ]
    const reached: string[] = []
    const left = tries.values()
    const worker = async () => {
      for (const [method, path] of left) {
        const answer = await client({ method, path, token })
        if (isReached(answer)) reached.push(`${method} ${path}: ${answer.status} ${answer.text}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    if (reached.length > 0) throw new Error(reached.join('\n').slice(0, 2_000))
    return `${tries.length} tries`
  })
  await check(`${kind}: headers that rewrite a path are not obeyed`, async () => {
    for (const header of [
      'x-original-url',
      'x-rewrite-url',
      'x-forwarded-uri',
      'x-forwarded-prefix',
    ]) {
      const answer = await client({ path: '/api/auth/me', headers: { [header]: '/metrics' } })
      if (answer.status !== 401) throw new Error(`${header}: ${answer.status}`)
    }
  })
}

/** A service sends its request id with every answer, and no proxy does. */
function comesFromService(answer: Answer): boolean {
  return answer.headers['x-request-id'] !== undefined
}

async function mustReach(client: Client, method: string, path: string): Promise<void> {
  const answer = await client({ method, path, ...(method === 'GET' ? {} : { body: {} }) })
  if (!comesFromService(answer)) throw new Error(`${method} ${path}: ${answer.status}`)
}

/**
 * Whether a private route answered: everything but "there is no such path" and "that is no path" says that
 * there is something. Nobody is redirected here, since that would tell of a route, too.
 */
function isReached({ status, text }: Answer): boolean {
  if (status === 404 || status === 400) return false
  // A disguise that is taken for an id, as of `DELETE /api/auth/sessions/{id}`, got no further than there.
  return !(status === 405 && text.includes('"instance":"/api/'))
}
