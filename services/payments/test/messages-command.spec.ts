import { spawn } from 'node:child_process'
import { createHmac, hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environment, SECRETS } from './payments.js'
import { fromProvider, newPayment, webhookBody } from './requests.js'
import { withPayments } from './with-payments.js'

/** The built `messages` command, on messages that the service has stored. */

const SCRIPT = join(import.meta.dirname, '../dist/cli/messages.js')

const { payments, user } = await withPayments()

const folder = mkdtempSync(join(tmpdir(), 'malipo-messages-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, hash('sha256', text).slice(0, 8))
  writeFileSync(path, text)
  return path
}

const keyId = (secret: string) =>
  hash('sha256', Buffer.from(secret.slice(6), 'base64')).slice(0, 16)

function run(args: string[], own: Record<string, string> = {}) {
  const env = environment({ DATABASE_URL: payments.databaseUrl, ...own })
  const child = spawn(process.execPath, [SCRIPT, ...args], { env })
  return new Promise<{ code: number | null; lines: string[]; err: string }>((resolve) => {
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, lines: out.split('\n').filter(Boolean), err }))
  })
}

/** A year after the rotation: the old secret is retired, and the new one was replaced again. */
const LATER = {
  WEBHOOK_SECRETS: `manual=whsec_${Buffer.alloc(32, 'later').toString('base64')}`,
  WEBHOOK_RETIRED_SECRETS_FILE: file(`manual=${SECRETS.old}\nmanual=${SECRETS.new}\n`),
}

let reference: string
const old = webhookBody('', 'PENDING', { more: '\0' })
const settled = webhookBody('', 'SUCCESS')
const byUser = webhookBody('', 'SUCCESS')

beforeAll(async () => {
  reference = await newPayment(user)
  await fromProvider(payments, { ...old, reference }, { secret: SECRETS.old })
  await fromProvider(payments, { ...settled, reference }, { secret: SECRETS.new })
  await fromProvider(payments, { ...settled, reference, status: 'FAILED' })
  await user.webhook({ ...byUser, reference })
})

describe('verify', () => {
  it('verifies every stored message with active and retired secrets', async () => {
    for (const own of [{}, LATER]) {
      const { code, lines, err } = await run(['verify'], own)
      expect([code, err]).toEqual([0, ''])
      expect(lines).toHaveLength(5)
      const results = lines.slice(0, 4).map((line) => line.split(' ')[0])
      expect(results).toEqual(['valid', 'valid', 'valid', 'unsigned'])
      expect(lines[0]).toContain(
        ` provider:manual "${old.webhookId}" "${reference}" PENDING applied `,
      )
      expect(lines[2]).toMatch(/ FAILED conflict key=[\da-f]{16} signed=20\S+Z received=20\S+Z$/)
      expect(lines[4]).toBe('verified: 3 valid, 1 unsigned')
    }
  })

  it('fails if a key is missing', async () => {
    const { code, lines } = await run(['verify'], { WEBHOOK_SECRETS: `manual=${SECRETS.new}` })
    expect(code).toBe(1)
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'key_missing',
      'valid',
      'valid',
      'unsigned',
      'verified:',
    ])
  })

  const hour = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString()

  it.each<[string, () => string[], number]>([
    ['payment', () => ['--payment', reference], 3],
    ['webhook', () => ['--webhook-id', settled.webhookId], 2],
    ['both', () => ['--payment', reference, '--webhook-id', settled.webhookId], 1],
    ['the time of receipt', () => ['--from', hour(-1), '--to', hour(1)], 4],
    ['a later time', () => ['--from', hour(1)], 0],
    ['an earlier time', () => ['--to', hour(-1)], 0],
  ])('selects by %s', async (_, args, expected) => {
    const { code, lines } = await run(['verify', ...args()])
    expect([code, lines.length - 1]).toEqual([expected === 0 ? 1 : 0, expected])
  })

  it('selects by id', async () => {
    const [{ id } = { id: '' }] = await payments.sql<{ id: string }>(
      'SELECT id FROM provider_messages WHERE webhook_id = $1',
      old.webhookId,
    )
    const { lines } = await run(['verify', id])
    expect(lines).toEqual([expect.stringContaining(` ${id} `), 'verified: 1 valid'])
  })

  it('finds changed content, which the triggers would have rejected', async () => {
    const changed = async (set: string) => {
      await payments.sql('ALTER TABLE provider_messages DISABLE TRIGGER USER')
      await payments.sql(`UPDATE provider_messages SET ${set} WHERE webhook_id = $1`, old.webhookId)
      const { code, lines } = await run(['verify', '--webhook-id', old.webhookId])
      return [code, lines[0]?.split(' ')[0]]
    }
    const status = (name: string) => `reading = jsonb_set(reading, '{status}', '"${name}"')`
    expect(await changed(status('SUCCESS'))).toEqual([1, 'contradictory'])
    expect(await changed(status('PENDING'))).toEqual([0, 'valid'])
    expect(await changed(`verdict = 'token', key_id = NULL`)).toEqual([1, 'invalid'])
    expect(await changed(`verdict = 'signed', key_id = '${keyId(SECRETS.old)}'`)).toEqual([
      0,
      'valid',
    ])
    expect(await changed(`body = body || ' '`)).toEqual([1, 'invalid'])
    expect(await changed('body = substring(body FROM 1 FOR octet_length(body) - 1)')).toEqual([
      0,
      'valid',
    ])
    await payments.sql('ALTER TABLE provider_messages ENABLE TRIGGER USER')
  })

  it('rejects an unknown argument with the usage, and a malformed file by its variable', async () => {
    expect(await run(['verify', '--all'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^messages: messages verify /),
    })
    const own = { WEBHOOK_RETIRED_SECRETS_FILE: file(`manual=${SECRETS.new}`) }
    expect(await run(['verify'], own)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^messages: WEBHOOK_RETIRED_SECRETS_FILE must not list a secret/),
    })
  })
})

it('export prints what another program needs to verify a message', async () => {
  const { code, lines } = await run(['export', '--webhook-id', old.webhookId])
  expect([code, lines.length]).toEqual([0, 1])
  const { headers, body, verification, reading } = JSON.parse(lines[0] ?? '') as {
    headers: Record<string, string>
    body: string
    verification: string
    reading: object
  }
  expect(verification).toBe('valid')
  expect(reading).toMatchObject({ reference, status: 'PENDING' })
  const bytes = Buffer.from(body, 'base64')
  expect(JSON.parse(bytes.toString())).toEqual({ ...old, reference })
  const mac = createHmac('sha256', Buffer.from(SECRETS.old.slice(6), 'base64'))
  mac.update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`).update(bytes)
  expect(headers['webhook-signature']).toBe(`v1,${mac.digest('base64')}`)
})

it('keys prints the state of each key that verified a message', async () => {
  const states = async (own?: Record<string, string>) => {
    const { code, lines } = await run(['keys'], own)
    return [code, ...lines.map((line) => line.split(' ').slice(1, 4).join(' '))]
  }
  const stored = (one: string, two: string) => [
    `${one} provider:manual messages=1`,
    `${two} provider:manual messages=2`,
  ]
  expect(await states()).toEqual([0, ...stored('active', 'active')])
  expect(await states(LATER)).toEqual([0, ...stored('retired', 'retired')])
  const rotated = { WEBHOOK_SECRETS: `manual=${SECRETS.new}` }
  expect(await states(rotated)).toEqual([1, ...stored('missing', 'active')])
})
