import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const AUTH_PORT = 3002
export const PAYMENTS_PORT = 4000
export const SIMULATOR_PORT = 4100

const walkthrough = join(import.meta.dirname, '../../../docs/walkthrough.sh')

export interface Running {
  authPort: number
  paymentsPort: number
  simulatorPort: number
  postgresPort: number
  redisUrl: string | undefined
}

/** The message that `make up` prints when everything runs. */
export function startupMessage(running: Running): string {
  const auth = `http://127.0.0.1:${running.authPort}`
  const payments = `http://127.0.0.1:${running.paymentsPort}`
  return `
Malipo runs in sandbox mode.

  auth        ${auth}    Swagger: ${auth}/docs
  payments    ${payments}    Swagger: ${payments}/docs
  simulator   http://127.0.0.1:${running.simulatorPort}    of MTN and Airtel: docs/simulator.md
  PostgreSQL  127.0.0.1:${running.postgresPort}, databases auth and payments,
              user malipo, password in .data/postgres.password
  Redis       ${redisLine(running.redisUrl)}
  logs        .data/logs (warnings are shown here too)

Create and settle a payment: paste this into another terminal, or run docs/walkthrough.sh:

${pasteable(running)}
Ctrl-C stops everything.`
}

function redisLine(url: string | undefined): string {
  return (
    url ?? 'not running: no redis-server or valkey-server on the PATH, so auth validates each token'
  )
}

/**
 * The part of the walk-through script in parentheses. If the services' ports are not the defaults, their
 * URLs precede it.
 */
function pasteable({ authPort, paymentsPort }: Running): string {
  const script = readFileSync(walkthrough, 'utf8')
  const block = script.slice(script.indexOf('\n(\n') + 1)
  if (authPort === AUTH_PORT && paymentsPort === PAYMENTS_PORT) return block
  return `AUTH_URL=http://127.0.0.1:${authPort}
PAYMENTS_URL=http://127.0.0.1:${paymentsPort}
${block}`
}
