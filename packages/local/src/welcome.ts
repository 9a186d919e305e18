import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const AUTH_PORT = 3002
export const PAYMENTS_PORT = 4000

const walkthrough = join(import.meta.dirname, '../../../docs/walkthrough.sh')

export interface Running {
  authPort: number
  paymentsPort: number
  postgresPort: number
  redisUrl: string | undefined
}

/** What a newcomer reads once everything runs. */
export function welcome(running: Running): string {
  const auth = `http://127.0.0.1:${running.authPort}`
  const payments = `http://127.0.0.1:${running.paymentsPort}`
  return `
Malipo runs in sandbox mode.

  auth        ${auth}    Swagger: ${auth}/docs
  payments    ${payments}    Swagger: ${payments}/docs
  PostgreSQL  127.0.0.1:${running.postgresPort}, databases auth and payments,
              user malipo, password in .data/postgres.password
  Redis       ${redisLine(running.redisUrl)}
  logs        .data/logs (warnings are shown here too)

A payment from start to end; paste all of it into another terminal, or run docs/walkthrough.sh:

${pasteable(running)}
Ctrl-C stops everything.`
}

function redisLine(url: string | undefined): string {
  return (
    url ??
    'no redis-server or valkey-server on the PATH: nothing is cached, auth is asked each time'
  )
}

/** The walk-through from its parenthesis on, told of other ports than the usual ones. */
function pasteable({ authPort, paymentsPort }: Running): string {
  const text = readFileSync(walkthrough, 'utf8')
  const block = text.slice(text.indexOf('\n(\n') + 1)
  if (authPort === AUTH_PORT && paymentsPort === PAYMENTS_PORT) return block
  return `AUTH_URL=http://127.0.0.1:${authPort}
PAYMENTS_URL=http://127.0.0.1:${paymentsPort}
${block}`
}
