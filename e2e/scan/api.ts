import { CommandError, run } from '../cluster.ts'
import type { Services } from './services.ts'
import { FOLDER, TOOLS } from './tools.ts'

const CONFIG = new URL('schemathesis.toml', import.meta.url).pathname
/** How long schemathesis generates requests, and the limit of its whole run. */
const BUDGET_S = 45
const LIMIT_MS = 3 * 60_000

/** Sends generated requests, valid and invalid, for each operation of a service's OpenAPI document. */
export async function testApi(
  name: 'auth' | 'payments',
  { auth, operator, ...services }: Services,
): Promise<string> {
  const url = name === 'auth' ? auth : services.payments
  // The seed is fixed, so that a failure can be repeated; SEED=2 make scan sends other requests.
  const options = ['--max-time', String(BUDGET_S), '--seed', process.env.SEED || '1', '--no-color']
  const args = ['--config-file', CONFIG, 'run', `${url}/docs-json`, ...options]
  const env = {
    OPERATOR_PHONE: operator.phone,
    OPERATOR_PASSWORD: operator.password,
    ACCESS_TOKEN: await logIn(auth, operator),
  }
  const text = await run(TOOLS.schemathesis, args, { cwd: FOLDER, env, timeoutMs: LIMIT_MS })
  const [, count] = /(\d+) generated/.exec(text) ?? []
  if (count === undefined) throw new CommandError('schemathesis sent no request', 0, text)
  return `${count} requests`
}

async function logIn(auth: string, operator: Services['operator']): Promise<string> {
  const response = await fetch(`${auth}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(operator),
  })
  if (!response.ok) throw new Error(`login: ${await response.text()}`)
  const { access_token: token } = (await response.json()) as { access_token: string }
  return token
}
