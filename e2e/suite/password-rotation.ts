import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { type Client, type HttpResponse, createPayment, register, login } from './http.ts'
import { type Platform, RELEASE, selectorOf, type Service, SERVICES } from './platform.ts'

/**
 * Rotates the passwords of the services' database roles by changing their Secrets. The operator alters the role
 * immediately, but the kubelet updates the file up to 90 s later. In between the services use their existing
 * connections. No pod restarts, and no request fails.
 */

/** The kubelet syncs Secrets about once per minute, later on a busy node. */
const FILE_WITHIN_MS = 180_000
const PAUSE_MS = 200
/** More concurrent requests than open connections, so that new connections are opened. */
const BURST = 24

export async function checkRotation(platform: Platform): Promise<void> {
  await check('a password rotation restarts no pod and fails no request', async () => {
    const { client } = platform
    const token = await login(client, await register(client))
    const before = await podIdentities(platform)
    const load = startLoad(client, token)
    const since = Date.now()
    let tookMs = 0
    try {
      const rotated = SERVICES.map((service) => rotate(platform, service))
      const passwords = await Promise.all(rotated)
      tookMs = Date.now() - since
      for (const [i, service] of SERVICES.entries()) {
        const [oldPassword = '', newPassword = ''] = passwords[i] ?? []
        await assertDatabaseLogin(platform, service, newPassword, true)
        await assertDatabaseLogin(platform, service, oldPassword, false)
      }
      await burst(client, token)
    } finally {
      await load.stop()
    }
    if (load.failures.length > 0) throw new Error(load.failures.slice(0, 5).join('\n'))
    const after = await podIdentities(platform)
    if (after !== before) throw new Error(`pods changed from\n${before}\nto\n${after}`)
    return `${load.sent()} requests, files updated after ${Math.round(tookMs / 1000)} s`
  })
}

/** Changes a role's password and waits until every pod's file contains it. @returns the old and the new password */
async function rotate({ namespace }: Platform, service: Service) {
  const secret = `${RELEASE}-${service}-db-service`
  const oldPassword = await namespace.secret(secret, 'password')
  const newPassword = randomBytes(24).toString('hex')
  const patch = JSON.stringify({ stringData: { password: newPassword } })
  await namespace.kubectl(['patch', 'secret', secret, '--patch', patch])
  await eventually(
    `the new password in the files of ${service}`,
    async () => {
      for (const pod of await namespace.pods(selectorOf(service))) {
        const file = `import { readFileSync } from 'node:fs'
          process.stdout.write(readFileSync('/secrets/database/password', 'utf8'))`
        if ((await namespace.node(pod, file)) !== newPassword) {
          throw new Error(`${pod} has the old password`)
        }
      }
    },
    { limitMs: FILE_WITHIN_MS, everyMs: 3_000 },
  )
  return [oldPassword, newPassword] as const
}

/** Connects to the database from a pod of the service, with the service's driver. */
async function assertDatabaseLogin(
  platform: Platform,
  service: Service,
  password: string,
  isValid: boolean,
) {
  const output = await platform.namespace.node(
    await platform.pod(service),
    `import { readFileSync } from 'node:fs'
     import pg from 'pg'
     const client = new pg.Client({
       host: process.env.DB_HOST, database: process.env.DB_NAME, user: process.env.DB_USERNAME,
       password: '${password}', ssl: { ca: readFileSync(process.env.DB_SSL_CA_FILE, 'utf8') },
     })
     console.log(await client.connect().then(() => 'connected', (error) => error.code))
     await client.end().catch(() => undefined)`,
  )
  const expected = isValid ? 'connected' : '28P01'
  if (output.trim() !== expected) {
    throw new Error(`${service}: ${output.trim()} instead of ${expected}`)
  }
}

/** Names, UIDs and restart counts of the services' pods. */
async function podIdentities({ namespace }: Platform): Promise<string> {
  const services = 'app.kubernetes.io/name in (auth, payments)'
  const pods = await namespace.list('pod', `app.kubernetes.io/instance=${RELEASE},${services}`)
  const lines = pods.map(({ metadata, status }) => {
    const restarts = (status.containerStatuses as { restartCount: number }[] | undefined) ?? []
    return `${metadata.name} ${metadata.uid} ${restarts.map((each) => each.restartCount).join()}`
  })
  return lines.toSorted().join('\n')
}

/** Sends requests that need a database until it is stopped. */
function startLoad(client: Client, token: string) {
  const failures: string[] = []
  let sent = 0
  const stopped = new AbortController()
  const count = async (name: string, work: () => Promise<unknown>) => {
    sent++
    await work().catch((error: unknown) => failures.push(`${name}: ${String(error)}`))
  }
  const run = async () => {
    for (; !stopped.signal.aborted; await sleep(PAUSE_MS)) {
      await count('create', () => createPayment(client, token))
      await count('list', async () => assertOk(await client({ path: '/api/payments', token })))
      await count('me', async () => assertOk(await client({ path: '/api/auth/me', token })))
    }
  }
  const running = run()
  const stop = async () => {
    stopped.abort()
    await running
  }
  return { failures, sent: () => sent, stop }
}

async function burst(client: Client, token: string): Promise<void> {
  await Promise.all(Array.from({ length: BURST }, () => createPayment(client, token)))
  const me = Array.from({ length: BURST }, () => client({ path: '/api/auth/me', token }))
  for (const response of await Promise.all(me)) assertOk(response)
}

function assertOk({ status, text }: HttpResponse): void {
  if (status !== 200) throw new Error(`${status} ${text}`)
}
