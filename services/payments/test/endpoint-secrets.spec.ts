import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Sealed, UnsealError, unseal as open } from '@malipo/kit/seal/seal'
import { readSealKeys, type SealKey, sealingKey } from '@malipo/kit/seal/seal-keys'
import { seal } from '@malipo/kit/seal/seal'
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

/** Whether a delivery to the endpoint that is signed now is accepted by the holder of `secret`. */
async function isAccepted(id: string, secret: string): Promise<boolean> {
  const secrets = (await secretsOf(id)).get(id) as readonly SigningSecret[]
  const message = {
    eventId: 'evt_0123456789abcdef0123456789abcdef',
    at: new Date(),
    body: '{"a":1}',
  }
  const headers = { ...signatureHeaders({ ...message, secrets }) }
  try {
    new Webhook(secret).verify(message.body, headers)
    return true
  } catch {
    return false
  }
}

const rotated = async (id: string, overlapSeconds?: number) => {
  const answer = await merchant.rotate(id, { overlapSeconds })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return answer.body as { secret: string; version: number; secrets: { expiresAt: string | null }[] }
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
    expect([await isAccepted(id, first), await isAccepted(id, second)]).toEqual([true, true])
    const { secret: _, ...shown } = (await merchant.get(id)).body
    expect(shown.secrets).toEqual(secrets)
    await expire(id)
    expect([await isAccepted(id, first), await isAccepted(id, second)]).toEqual([false, true])
    expect((await merchant.get(id)).body.secrets).toHaveLength(1)
  })

  it('during an overlap replaces the newest secret and leaves the oldest its time', async () => {
    const { id, secret: first } = await newEndpoint(merchant)
    const { secret: lost, secrets: before } = await rotated(id, 600)
    const { secret: second, secrets: after } = await rotated(id, 86_400)
    expect(after).toHaveLength(2)
    expect(after[1]).toEqual(before[1])
    const accepted = await Promise.all([first, lost, second].map((each) => isAccepted(id, each)))
    expect(accepted).toEqual([true, false, true])
    await expire(id)
    const { secrets } = await rotated(id)
    expect(secrets).toHaveLength(2)
    const stored = 'SELECT nth FROM webhook_endpoint_secrets WHERE endpoint_id = $1 ORDER BY nth'
    expect(await payments.sql(stored, id)).toEqual([{ nth: 3 }, { nth: 4 }])
  })

  it('without overlap ends all other secrets, also during an overlap', async () => {
    const { id, secret: first } = await newEndpoint(merchant)
    const { secret: second } = await rotated(id, 0)
    expect([await isAccepted(id, first), await isAccepted(id, second)]).toEqual([false, true])
    const { secret: third } = await rotated(id, 600)
    const { secret: fourth, secrets } = await rotated(id, 0)
    expect(secrets).toHaveLength(1)
    const accepted = [second, third, fourth].map((each) => isAccepted(id, each))
    expect(await Promise.all(accepted)).toEqual([false, false, true])
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
    const accepted = await Promise.all(all.map((secret) => isAccepted(id, secret)))
    expect(accepted.filter(Boolean)).toHaveLength(2)
    expect(accepted[0]).toBe(true)
    const { body } = await merchant.get(id)
    expect([body.version, body.secrets.length]).toEqual([9, 2])
    const newest = answers.find(({ version }) => version === 9)
    expect(await isAccepted(id, newest?.secret ?? '')).toBe(true)
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
    expect(await isAccepted(id, secret)).toBe(true)
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
    const keyOfNew = async () => {
      const created = await newEndpoint(other)
      const sql = 'SELECT key_id FROM webhook_endpoint_secrets WHERE endpoint_id = $1'
      const [row] = await payments.sql<{ key_id: string }>(sql, created.id)
      await other.remove(created.id)
      return row?.key_id
    }
    await until(async () => (await keyOfNew()) === 'second')
    const { body } = await other.rotate(id, {})
    const accepted = [first, body.secret].map((each) => isAccepted(id, each))
    expect(await Promise.all(accepted)).toEqual([true, true])
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
    // Those that other tests have broken.
    await payments.sql('DELETE FROM webhook_endpoint_secrets')
    const other = endpointsOf(await newUser(), payments)
    const { id, secret } = await newEndpoint(other)
    const { id: asymmetric } = await newEndpoint(other, { scheme: 'v1a' })
    const { body } = await other.rotate(id, {})
    addEncryptionKey(folder, 'third', 2)
    expect(await run()).toEqual({ code: 0, text: '3 secrets sealed with third\n' })
    expect(await keys()).toEqual(['third'])
    expect(await run()).toEqual({ code: 0, text: '0 secrets sealed with third\n' })
    for (const name of ['first', 'second', 'later']) rmSync(join(folder, `${name}.json`))
    const accepted = [secret, body.secret].map((each) => isAccepted(id, each))
    expect(await Promise.all(accepted)).toEqual([true, true])
    expect((await secretsOf(asymmetric)).get(asymmetric)).toHaveLength(1)
  })

  it('reports the secrets whose key is missing, and seals the others', async () => {
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

it('the errors of a seal contain no secret', () => {
  expect(new UnsealError('x').message).toBe('x')
})
