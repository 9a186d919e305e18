/**
 * `make foreign-clients`: clients of MTN MoMo and Airtel Money that other authors wrote pay, query and are refused by
 * the simulator. They differ in what fixtures rarely have: a POST without a body, an upper-case path, JSON with
 * spaces, `5000.0`, slashes at the end of a path.
 *
 * Then the receivers of docs/verify-webhooks.md, with the libraries of Standard Webhooks for Node.js, Python and Go,
 * verify signed deliveries and reject changed ones.
 *
 * Ends with `N passed, N failed`. A client that reports no result is a failure.
 */
import { freePort } from '@malipo/local/free-port'
import { check, finish } from './checks.ts'
import { run } from './cluster.ts'
import { checkCatchUp } from './foreign-clients/receivers/catch-up.ts'
import { checkGivenDeliveries } from './foreign-clients/receivers/given-deliveries.ts'
import { checkNotifiedPayments } from './foreign-clients/receivers/notified-payments.ts'
import {
  buildPhpReceiver,
  buildReceivers,
  type Program,
} from './foreign-clients/receivers/programs.ts'
import { withMerchant } from './foreign-clients/receivers/services.ts'
import { type ClientEnv, withSimulator } from './foreign-clients/simulator.ts'
import { installClients, NPM, PYTHON } from './foreign-clients/tools.ts'

/** A client's script prints one line of JSON for each check. */
interface Result {
  readonly check: string
  /** Why the check failed; null if it passed. */
  readonly error: string | null
}

const script = (file: string) => new URL(`foreign-clients/${file}`, import.meta.url).pathname

const CLIENTS = {
  'npm mtn-momo': [process.execPath, script('mtn-momo.mjs')],
  'PyPI momo-openapi': [PYTHON, script('momo_openapi_checks.py')],
  'PyPI mtn-momo-client': [PYTHON, script('mtn_momo_client_checks.py')],
  'PyPI airtelmoney-py': [PYTHON, script('airtelmoney_checks.py')],
} as const
/** To pay, to query, and three refusals. */
const MIN_CHECKS = 5

async function runClient(name: string, command: readonly string[], env: ClientEnv): Promise<void> {
  const [program = '', ...args] = command
  let results: Result[] = []
  await check(`${name} runs at least ${MIN_CHECKS} checks`, async () => {
    const output = await run(program, args, { env: { ...env, NPM } })
    results = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Result)
    if (results.length < MIN_CHECKS) throw new Error(`only ${results.length} checks:\n${output}`)
  })
  for (const { check: title, error } of results) {
    await check(`${name} ${title}`, async () => {
      if (error !== null) throw new Error(error)
    })
  }
}

async function checkReceivers(): Promise<readonly Program[]> {
  let programs: readonly Program[] = []
  await check('builds the receivers of docs/verify-webhooks.md', async () => {
    programs = await buildReceivers()
  })
  for (const program of programs) await checkGivenDeliveries(program)
  const port = await freePort()
  const php = await buildPhpReceiver(port)
  if (typeof php === 'string') console.log(`skipped: receiver.php, since ${php}`)
  else await checkGivenDeliveries(php, port)
  return programs
}

if (await check('installs the clients', installClients)) {
  await withSimulator(async (env) => {
    for (const [name, command] of Object.entries(CLIENTS)) await runClient(name, command, env)
  })
  const programs = await checkReceivers()
  await check('starts both services', () =>
    withMerchant(async (merchant) => {
      await checkCatchUp(merchant)
      await checkNotifiedPayments(merchant, programs)
    }),
  )
}
finish()
process.exit()
