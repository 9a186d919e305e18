import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Sealed, seal, unseal as open } from '@malipo/kit/seal/seal'
import { readSealKeys, type SealKey, sealingKey } from '@malipo/kit/seal/seal-keys'
import { until } from '@malipo/testing/until'
import { Client } from 'pg'
import { Webhook } from 'standardwebhooks'
import { afterAll, describe, expect, it } from 'vitest'
import { signingSecrets } from '../src/webhook-endpoints/endpoint-secrets.js'
import { sealedSecretsOf } from '../src/webhook-endpoints/secrets.store.js'
import { signatureHeaders, type SigningSecret } from '../src/webhook-endpoints/signing.js'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { addEncryptionKey, encryptionKeysFolder, environment, startPayments } from './payments.js'
import { runOn } from './payments-database.js'

/** The secrets of endpoints: how they are stored, replaced and read to sign deliveries. */

const folder = encryptionKeysFolder(['first', 0])
const payments = await startPayments({ WEBHOOK_ENCRYPTION_KEYS_DIR: folder })
const owner = await newUser()
const merchant = endpointsOf(owner, payments)
const connection = new Client({ connectionString: payments.databaseUrl })
await connection.connect()
afterAll(async () => {
  await payments.close()
  await connection.end()
  rmSync(folder, { recursive: true })
})

function ringOf(keys: readonly SealKey[]) {
  return {
    seal: (subject: string, value: Buffer) =>
      seal(sealingKey(keys, Date.now() / 1000), subject, value),
    unseal: (subject: string, sealed: Sealed) => open(keys, subject, sealed),
  }
}

/** The secrets that sign the deliveries of endpoints now. */
async function secretsOf(...ids: string[]) {
  const rows = await sealedSecretsOf(runOn(connection), ids)
  return signingSecrets(ringOf(readSealKeys(folder)), rows)
}

/** Whether a delivery to the endpoint that is signed now is accepted by the holders of the secrets. */
async function accepted(id: string, ...holders: string[]): Promise<boolean[]> {
  const secrets = (await secretsOf(id)).get(id) as readonly SigningSecret[]
  const message = { eventId: `evt_${'0f'.repeat(16)}`, at: new Date(), body: '{"a":1}' }
  const headers = { ...signatureHeaders({ ...message, secrets }) }
  return holders.map((secret) => {
    try {
      new Webhook(secret).verify(message.body, headers)
      return true
    } catch {
      return false
    }
  })
}

const rotated = async (id: string, overlapSeconds?: number) => {
  const answer = await merchant.rotate(id, { overlapSeconds })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return answer.body as { secret: string; version: number; secrets: { expiresAt: string | null }[] }
}

/** The key with which the service seals now. */
async function keyOfNew() {
  const { id } = await newEndpoint(merchant)
  const sql = 'SELECT key_id AS key FROM webhook_endpoint_secrets WHERE endpoint_id = $1'
  const [row] = await payments.sql<{ key: string }>(sql, id)
  await merchant.remove(id)
  return row?.key
}

const expire = (id: string) =>
  payments.sql(
    `UPDATE webhook_endpoint_secrets SET expires_at = now() WHERE endpoint_id = $1 AND expires_at > now()`,
    id,
  )

describe('a rotation', () => {
  it('lets both secrets sign during the overlap, and then the new one only', async () => {
    const { id, secret: first } = await newEndpoint(merchant)
    const { secret: second, secrets, version } = await rotated(id, 600)
    expect(second).toMatch(/^whsec_/)
    expect(version).toBe(2)
    expect(secrets).toHaveLength(2)
    expect(secrets[0]?.expiresAt).toBeNull()
    const left = Date.parse(secrets[1]?.expiresAt ?? '') - Date.now()
    expect(left).toBeGreaterThan(500_000)
    expect(left).toBeLessThan(700_000)
    expect(await accepted(id, first, second)).toEqual([true, true])
    const { secret: _, ...shown } = (await merchant.get(id)).body
    expect(shown.secrets).toEqual(secrets)
    await expire(id)
    expect(await accepted(id, first, second)).toEqual([false, true])
    expect((await merchant.get(id)).body.secrets).toHaveLength(1)
  })

  it('during an overlap replaces the newest secret and leaves the oldest its time', async () => {
    const { id, secret: first } = await newEndpoint(merchant)
    const { secret: lost, secrets: before } = await rotated(id, 600)
    const { secret: second, secrets: after } = await rotated(id, 86_400)
    expect(after).toHaveLength(2)
    expect(after[1]).toEqual(before[1])
    expect(await accepted(id, first, lost, second)).toEqual([true, false, true])
    await expire(id)
    const { secrets } = await rotated(id)
    expect(secrets).toHaveLength(2)
    const stored = 'SELECT nth FROM webhook_endpoint_secrets WHERE endpoint_id = $1 ORDER BY nth'
    expect(await payments.sql(stored, id)).toEqual([{ nth: 3 }, { nth: 4 }])
  })

  it('without overlap ends all other secrets, also during an overlap', async () => {
    const { id, secret: first } = await newEndpoint(merchant)
    const { secret: second } = await rotated(id, 0)
    expect(await accepted(id, first, second)).toEqual([false, true])
    const { secret: third } = await rotated(id, 600)
    const { secret: fourth, secrets } = await rotated(id, 0)
    expect(secrets).toHaveLength(1)
    expect(await accepted(id, second, third, fourth)).toEqual([false, false, true])
  })

  it('by default has an overlap of a day', async () => {
    const { id } = await newEndpoint(merchant)
    const { body } = await merchant.rotate(id, {})
    const left = Date.parse(body.secrets[1].expiresAt) - Date.now()
    expect(left).toBeGreaterThan(86_000_000)
    expect(left).toBeLessThan(86_800_000)
  })

  it('of v1a shows both public keys during the overlap', async () => {
    const { id, publicKey: first } = await newEndpoint(merchant, { scheme: 'v1a' })
    const { body } = await merchant.rotate(id, {})
    expect(body).toMatchObject({ secret: null, scheme: 'v1a' })
    const keys = body.secrets.map(({ publicKey }: { publicKey: string }) => publicKey)
    expect(keys).toEqual([body.publicKey, first])
    expect(new Set(keys).size).toBe(2)
  })

  it('in concurrent requests leaves the oldest and one other secret, whose client has it', async () => {
    const { id, secret: first } = await newEndpoint(merchant)
    const answers = await Promise.all(Array.from({ length: 8 }, () => rotated(id)))
    const all = [first, ...answers.map(({ secret }) => secret)]
    const results = await accepted(id, ...all)
    expect(results.filter(Boolean)).toHaveLength(2)
    expect(results[0]).toBe(true)
    const { body } = await merchant.get(id)
    expect([body.version, body.secrets.length]).toEqual([9, 2])
    const newest = answers.find(({ version }) => version === 9)
    expect(await accepted(id, newest?.secret ?? '')).toEqual([true])
  })

  it.each([-1, 604_801, 1.5, '60', null, true])(
    'rejects the overlap %j',
    async (overlapSeconds) => {
      const { id } = await newEndpoint(endpointsOf(await newUser(), payments))
      const other = endpointsOf(owner, payments)
      expect((await other.rotate(id, { overlapSeconds })).body.errors?.[0]?.field).toBe(
        'overlapSeconds',
      )
    },
  )
})

describe('a stored secret', () => {
  it('is sealed, for its endpoint and scheme only', async () => {
    const { id, secret } = await newEndpoint(merchant)
    const { id: other } = await newEndpoint(merchant)
    const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64')
    const [row] = await payments.sql<{ hex: string; key: string }>(
      `SELECT encode(sealed, 'hex') AS hex, key_id AS key FROM webhook_endpoint_secrets
       WHERE endpoint_id = $1`,
      id,
    )
    expect(row?.key).toBe('first')
    expect(row?.hex).toHaveLength(2 * (12 + 32 + 16))
    expect(row?.hex).not.toContain(bytes.toString('hex'))
    const copy = `UPDATE webhook_endpoint_secrets SET sealed = decode($2, 'hex') WHERE endpoint_id = $1`
    await payments.sql(copy, other, row?.hex)
    expect((await secretsOf(id, other)).get(other)).toBe('unreadable')
    expect(await accepted(id, secret)).toEqual([true])
    await payments.sql(
      `UPDATE webhook_endpoint_secrets SET scheme = 'v1a', public_key = '' WHERE endpoint_id = $1`,
      id,
    )
    expect((await secretsOf(id)).get(id)).toBe('unreadable')
  })

  it('of a deleted endpoint does not exist', async () => {
    const { id } = await newEndpoint(merchant)
    const { id: deleted } = await newEndpoint(merchant)
    await merchant.remove(deleted)
    expect([...(await secretsOf(id, deleted)).keys()]).toEqual([id])
  })
})

describe('the keys', () => {
  it('are read again when they change; the newest seals, and all open', async () => {
    const other = endpointsOf(await newUser(), payments)
    const { id, secret: first } = await newEndpoint(other)
    addEncryptionKey(folder, 'second', 1)
    addEncryptionKey(folder, 'later', Math.floor(Date.now() / 1000) + 3_600)
    await until(async () => (await keyOfNew()) === 'second')
    const { body } = await other.rotate(id, {})
    expect(await accepted(id, first, body.secret)).toEqual([true, true])
    const broken = join(folder, 'broken.json')
    writeFileSync(broken, '{}')
    const unreadable = () => payments.metric('webhook_encryption_keys_unreadable')
    await until(async () => (await unreadable()) === 1)
    expect(await keyOfNew()).toBe('second')
    rmSync(broken)
    await until(async () => (await unreadable()) === 0)
  })
})

describe('the command that seals again', () => {
  const script = join(import.meta.dirname, '../dist/cli/reseal.js')
  const run = async (own: Record<string, string> = {}) => {
    const given = { DATABASE_URL: payments.databaseUrl, WEBHOOK_ENCRYPTION_KEYS_DIR: folder }
    const env = environment({ ...given, ...own })
    const execute = promisify(execFile)
    return execute(process.execPath, [script], { env }).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        text: stdout + stderr,
      }),
    )
  }
  const keys = async () => {
    const sql = 'SELECT DISTINCT key_id AS key FROM webhook_endpoint_secrets ORDER BY 1'
    return (await payments.sql<{ key: string }>(sql)).map(({ key }) => key)
  }

  it('seals all secrets with the newest key, so that the earlier keys can be removed', async () => {
    // Those that other tests have broken, and the others of this merchant.
    await payments.sql(`UPDATE webhook_endpoints SET state = 'deleted', disabled_reason = NULL`)
    const other = endpointsOf(await newUser(), payments)
    const { id, secret } = await newEndpoint(other)
    const { id: asymmetric } = await newEndpoint(other, { scheme: 'v1a' })
    const { body } = await other.rotate(id, {})
    addEncryptionKey(folder, 'third', 2)
    expect(await run()).toEqual({ code: 0, text: '3 secrets sealed with third\n' })
    expect(await keys()).toEqual(['third'])
    expect(await run()).toEqual({ code: 0, text: '0 secrets sealed with third\n' })
    for (const name of ['first', 'second', 'later']) rmSync(join(folder, `${name}.json`))
    expect(await accepted(id, secret, body.secret)).toEqual([true, true])
    expect((await secretsOf(asymmetric)).get(asymmetric)).toHaveLength(1)
  })

  it('reports the secrets whose key is missing, and seals the others', async () => {
    await until(async () => (await keyOfNew()) === 'third')
    const other = endpointsOf(await newUser(), payments)
    const { id } = await newEndpoint(other)
    const { id: lost } = await newEndpoint(other)
    const mark = `UPDATE webhook_endpoint_secrets SET key_id = $2 WHERE endpoint_id = $1`
    await payments.sql(mark, lost, 'gone')
    addEncryptionKey(folder, 'fourth', 3)
    const { code, text } = await run()
    expect(code).toBe(1)
    expect(text).toContain(`the secret 1 of the endpoint ${lost} can’t be opened`)
    expect(text).toContain('secrets sealed with fourth')
    expect(await keys()).toEqual(['fourth', 'gone'])
    expect((await secretsOf(lost)).get(lost)).toBe('unreadable')
    expect((await secretsOf(id)).get(id)).toHaveLength(1)
    const [key] = [readFileSync(join(folder, 'fourth.json'), 'utf8')]
    expect(text).not.toContain((JSON.parse(key ?? '') as { k: string }).k)
  })

  it('needs a folder with keys', async () => {
    const { code, text } = await run({ WEBHOOK_ENCRYPTION_KEYS_DIR: '' })
    expect([code, text]).toEqual([1, expect.stringContaining('WEBHOOK_ENCRYPTION_KEYS_DIR')])
  })
})
