import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { type Client, type Answer, pay, register, tokenOf } from './http.ts'
import { type Platform, RELEASE, selectorOf, type Service, SERVICES } from './platform.ts'

/**
 * The password of a service's own role in its database is changed where it is kept, in a Secret. The operator
 * changes the role at once, and the kubelet shows the new file up to 90 s later: between the two the services
 * live on the connections that they have. Nothing restarts, and no request fails.
 */

/** The kubelet looks each minute or so, and a busy node takes its time. */
const FILE_WITHIN_MS = 180_000
const PAUSE_MS = 200
/** More requests at once than connections stand, so that new ones are made. */
const BURST = 24

export async function checkRotation(platform: Platform): Promise<void> {
  await check('passwords are rotated: no pod restarts, no request fails', async () => {
    const { client } = platform
    const token = await tokenOf(client, await register(client))
    const before = await lives(platform)
    const load = steadily(client, token)
    const since = Date.now()
    let tookMs = 0
    try {
      const rotated = SERVICES.map((service) => rotate(platform, service))
      const passwords = await Promise.all(rotated)
      tookMs = Date.now() - since
      for (const [i, service] of SERVICES.entries()) {
        const [old = '', fresh = ''] = passwords[i] ?? []
        await mustLogIn(platform, service, fresh, true)
        await mustLogIn(platform, service, old, false)
      }
      await burst(client, token)
    } finally {
      await load.stop()
    }
    if (load.failures.length > 0) throw new Error(load.failures.slice(0, 5).join('\n'))
    const after = await lives(platform)
    if (after !== before) throw new Error(`pods were\n${before}\nand are\n${after}`)
    return `${load.sent()} requests, files renewed after ${Math.round(tookMs / 1000)} s`
  })
}

/** Changes a role's password and waits until every pod's file has it; gives the old one and the new one. */
async function rotate({ namespace }: Platform, service: Service) {
  const secret = `${RELEASE}-${service}-db-service`
  const old = await namespace.secret(secret, 'password')
  const fresh = randomBytes(24).toString('hex')
  const patch = JSON.stringify({ stringData: { password: fresh } })
  await namespace.kubectl(['patch', 'secret', secret, '--patch', patch])
  await eventually(
    `the new password in the files of ${service}`,
    async () => {
      for (const pod of await namespace.pods(selectorOf(service))) {
        const file = `import { readFileSync } from 'node:fs'
          process.stdout.write(readFileSync('/secrets/database/password', 'utf8'))`
        if ((await namespace.node(pod, file)) !== fresh) throw new Error(`${pod} has the old one`)
      }
    },
    { limitMs: FILE_WITHIN_MS, everyMs: 3_000 },
  )
  return [old, fresh] as const
}

/** Logs in to the database from a pod of the service, with the service's own driver. */
async function mustLogIn(platform: Platform, service: Service, password: string, may: boolean) {
  const said = await platform.namespace.node(
    await platform.pod(service),
    `import { readFileSync } from 'node:fs'
     import pg from 'pg'
     const client = new pg.Client({
       host: process.env.DB_HOST, database: process.env.DB_NAME, user: process.env.DB_USERNAME,
       password: '${password}', ssl: { ca: readFileSync(process.env.DB_SSL_CA_FILE, 'utf8') },
     })
     console.log(await client.connect().then(() => 'in', (error) => error.code))
     await client.end().catch(() => undefined)`,
  )
  const expected = may ? 'in' : '28P01'
  if (said.trim() !== expected) throw new Error(`${service}: ${said.trim()} instead of ${expected}`)
}

/** Names, identities and restarts of the services' pods. */
async function lives({ namespace }: Platform): Promise<string> {
  const services = 'app.kubernetes.io/name in (auth, payments)'
  const pods = await namespace.list('pod', `app.kubernetes.io/instance=${RELEASE},${services}`)
  const lines = pods.map(({ metadata, status }) => {
    const restarts = (status.containerStatuses as { restartCount: number }[] | undefined) ?? []
    return `${metadata.name} ${metadata.uid} ${restarts.map((each) => each.restartCount).join()}`
  })
  return lines.toSorted().join('\n')
}

/** A little of everything that needs a database, until it is stopped. */
function steadily(client: Client, token: string) {
  const failures: string[] = []
  let sent = 0
  const over = new AbortController()
  const one = async (what: string, work: () => Promise<unknown>) => {
    sent++
    await work().catch((error: unknown) => failures.push(`${what}: ${String(error)}`))
  }
  const run = async () => {
    for (; !over.signal.aborted; await sleep(PAUSE_MS)) {
      await one('pay', () => pay(client, token))
      await one('list', async () => ok(await client({ path: '/api/payments', token })))
      await one('me', async () => ok(await client({ path: '/api/auth/me', token })))
    }
  }
  const running = run()
  const stop = async () => {
    over.abort()
    await running
  }
  return { failures, sent: () => sent, stop }
}

async function burst(client: Client, token: string): Promise<void> {
  await Promise.all(Array.from({ length: BURST }, () => pay(client, token)))
  const me = Array.from({ length: BURST }, () => client({ path: '/api/auth/me', token }))
  for (const answer of await Promise.all(me)) ok(answer)
}

function ok({ status, text }: Answer): void {
  if (status !== 200) throw new Error(`${status} ${text}`)
}
