import { randomUUID } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Service, startService } from '@malipo/local/process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { accountsFile, newFolder, STANDARD, startMerchant } from './simulator.js'
import { until } from '@malipo/testing/until'

/** The built simulator as a process, killed and restarted. */

const HEADERS = { authorization: `Bearer ${STANDARD.apiKey}`, 'content-type': 'application/json' }

function environment(folder: string, own: Record<string, string> = {}) {
  return {
    MODE: 'sandbox',
    ACCOUNTS_FILE: accountsFile(folder),
    BOOK_FILE: join(folder, 'book.jsonl'),
    ...own,
  }
}

async function start(folder: string, own: Record<string, string> = {}): Promise<Service> {
  const service = await startService({ name: 'simulator', env: environment(folder, own) })
  onTestFinished(async () => {
    await service.kill()
  })
  return service
}

async function pay(service: Service, reference: string, phone: string, callbackUrl?: string) {
  const input = { reference, amount: '5000', currency: 'UGX', phone, description: 'Payment' }
  const body = JSON.stringify({ ...input, callbackUrl })
  const response = await fetch(`${service.url}/charges`, { method: 'POST', headers: HEADERS, body })
  await response.arrayBuffer()
  return response.status
}
async function get(service: Service, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${service.url}${path}`, { headers: HEADERS })
  return (await response.json()) as Record<string, unknown>
}
const newReference = () => `PAY-${randomUUID()}`

describe('after SIGKILL, the simulator', () => {
  it('has every charge that it answered, and continues their timelines', async () => {
    const merchant = await startMerchant()
    const folder = newFolder()
    const first = await start(folder, { TIME_SCALE: '0.5' })
    const references = Array.from({ length: 20 }, newReference)
    const paying = references.map((reference) =>
      pay(first, reference, '+256772900000', merchant.url),
    )
    expect(await Promise.all(paying)).toEqual(references.map(() => 202))
    expect(await get(first, `/charges/${references[0]}`)).toMatchObject({ status: 'PENDING' })
    expect(merchant.received).toHaveLength(0)
    await first.kill()

    const second = await start(folder, { TIME_SCALE: '0.5' })
    await until(() => merchant.received.length === references.length)
    for (const reference of references) {
      expect(await get(second, `/charges/${reference}`)).toMatchObject({ status: 'SUCCESS' })
    }
    expect(await pay(second, references[0]!, '+256772900000')).toBe(409)
  })

  it('neither repeats a callback nor changes an outcome or a transaction id', async () => {
    const merchant = await startMerchant()
    const folder = newFolder()
    const first = await start(folder, { TIME_SCALE: '0' })
    const reference = newReference()
    await pay(first, reference, '+256772900000', merchant.url)
    await until(() => merchant.received.length === 1)
    const before = await get(first, `/charges/${reference}`)
    await first.kill()

    const second = await start(folder, { TIME_SCALE: '0' })
    expect(await get(second, `/charges/${reference}`)).toEqual(before)
    expect(merchant.received).toHaveLength(1)
  })

  it('has its scripts, its users and their tokens', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const id = randomUUID()
    const key = { 'ocp-apim-subscription-key': 'key', 'content-type': 'application/json' }
    const send = (path: string, headers: Record<string, string>, body = '') =>
      fetch(`${first.url}${path}`, { method: 'POST', headers, body })
    const host = '{"providerCallbackHost":"localhost"}'
    await send('/v1_0/apiuser', { ...key, 'x-reference-id': id }, host)
    const created = (await (await send(`/v1_0/apiuser/${id}/apikey`, key)).json()) as object
    const { apiKey } = created as { apiKey: string }
    const authorization = `Basic ${Buffer.from(`${id}:${apiKey}`).toString('base64')}`
    const issued = await (await send('/collection/token/', { ...key, authorization })).json()
    await send('/admin/scripts/standard', {}, '{"personality":"never"}')
    await first.kill()

    const second = await start(folder)
    const token = (issued as { access_token: string }).access_token
    const response = await fetch(`${second.url}/collection/v1_0/account/balance`, {
      headers: { ...key, authorization: `Bearer ${token}`, 'x-target-environment': 'sandbox' },
    })
    expect(response.status).toBe(200)
    const scripts = await get(second, '/admin/scripts')
    expect(scripts).toMatchObject({ data: [{ personality: 'never' }] })
  })

  it('drops a line that was not written completely', async () => {
    const folder = newFolder()
    const first = await start(folder, { TIME_SCALE: '0' })
    const reference = newReference()
    await pay(first, reference, '+256772900000')
    await first.kill()
    const book = join(folder, 'book.jsonl')
    const [line = ''] = readFileSync(book, 'utf8').split('\n')
    appendFileSync(book, line.slice(0, 50))
    const second = await start(folder)
    expect(await get(second, '/admin/counts')).toMatchObject({ charges: 1 })
  })
})

describe('the simulator', () => {
  it('writes a charge into the book before it answers', async () => {
    const folder = newFolder()
    const service = await start(folder, { TIME_SCALE: '0' })
    const reference = newReference()
    await pay(service, reference, '+256772900000')
    const lines = readFileSync(join(folder, 'book.jsonl'), 'utf8').trim().split('\n')
    const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind)
    expect(kinds).toEqual(['charge', 'step', 'step', 'step'])
    expect(lines[0]).toContain(reference)
  })

  it.each([
    ['MODE', 'live', 'MODE must be sandbox: the simulator does not run in live mode'],
    ['MODE', undefined, 'MODE is required'],
    ['ACCOUNTS_FILE', undefined, 'ACCOUNTS_FILE is required'],
    ['BOOK_FILE', undefined, 'BOOK_FILE is required'],
    ['TIME_SCALE', '-1', 'TIME_SCALE must be a number from 0 to 10'],
    ['PERSONALITY_MIX', 'x=1', 'PERSONALITY_MIX must be all, or personality=weight'],
  ])('does not start with %s=%s', async (name, value, message) => {
    const env = { ...environment(newFolder()), [name]: value }
    const starting = startService({ name: 'simulator', env })
    await expect(starting).rejects.toThrow(`configuration: ${message}`)
  })

  it.each([
    ['{', 'ACCOUNTS_FILE must be JSON'],
    ['{"standard":[{"name":"bank"}]}', 'ACCOUNTS_FILE /standard/0 must have required property'],
  ])('does not start with the accounts %s', async (content, message) => {
    const folder = newFolder()
    const env = environment(folder)
    const path = join(folder, 'other.json')
    appendFileSync(path, content)
    const starting = startService({ name: 'simulator', env: { ...env, ACCOUNTS_FILE: path } })
    await expect(starting).rejects.toThrow(`configuration: ${message}`)
  })

  it('does not start with a damaged book', async () => {
    const folder = newFolder()
    const env = environment(folder)
    appendFileSync(env.BOOK_FILE, 'not JSON\n')
    const starting = startService({ name: 'simulator', env })
    await expect(starting).rejects.toThrow('book.jsonl: line 1 is not JSON')
  })

  it('stops on SIGTERM with the exit code 0', async () => {
    const service = await start(newFolder())
    expect(await service.stop()).toBe(0)
  })
})
