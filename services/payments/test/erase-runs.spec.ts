import { columnsWith } from '@malipo/testing/personal-data'
import { describe, expect, it } from 'vitest'
import { erase, insertPayments, keysFile, newPayer, type Payer, paying } from './erasures.js'
import { withPayments } from './with-payments.js'

/** Runs of the built `erase` command: interrupted, concurrent with requests, and with wrong arguments. */

const { payments, user } = await withPayments()

const url = payments.databaseUrl
const run = (args: string[], own?: Record<string, string | undefined>) => erase(url, args, own)
const { sql } = payments
const argsOf = ({ phone, email }: Payer) => ['--phone', phone, '--email', email]

describe('the erase command', () => {
  it('continues after an interruption, with a record of each transaction', async () => {
    const payer = newPayer()
    await insertPayments(payments, payer, 450)
    const [last] = await sql<{ id: string }>(
      'SELECT id FROM payments WHERE customer_phone = $1 ORDER BY id DESC LIMIT 1',
      payer.phone,
    )
    await sql(
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
       CREATE TRIGGER fail BEFORE UPDATE ON payments
         FOR EACH ROW WHEN (OLD.id = '${last?.id}') EXECUTE FUNCTION fail()`,
    )
    const left = async () =>
      (await sql('SELECT FROM payments WHERE customer_phone = $1', payer.phone)).length
    const failed = await run(['--phone', payer.phone, '--apply'])
    await sql('DROP FUNCTION fail CASCADE')
    expect([failed.code, failed.err]).toEqual([1, 'erase: the disk is full\n'])
    expect(await left()).toBe(50)
    const { lines } = await run(['--phone', payer.phone, '--apply'])
    expect(lines).toContain('payments 50')
    expect(await left()).toBe(0)
    const records = await sql(
      `SELECT (changes->>'payments')::integer AS payments FROM erasures ORDER BY id DESC LIMIT 3`,
    )
    expect(records).toEqual([{ payments: 50 }, { payments: 200 }, { payments: 200 }])
  })

  it('waits for requests, and no request fails because of it', async () => {
    const payer = newPayer()
    await insertPayments(payments, payer, 250)
    const { reference } = (await user.create(paying(payer))).body
    const erasing = run(['--phone', payer.phone, '--apply'])
    const statuses: number[] = []
    const stop = new AbortController()
    const requests = (async () => {
      while (!stop.signal.aborted) {
        const created = await user.create(paying(payer))
        const moved = await user.move(created.body.reference as string, 'PENDING')
        const settled = await user.move(created.body.reference as string, 'SUCCESS')
        statuses.push(created.status, moved.status, settled.status)
      }
    })()
    const { code } = await erasing
    stop.abort()
    await requests
    expect(code).toBe(0)
    expect(new Set(statuses)).toEqual(new Set([200, 201]))
    expect((await user.move(reference as string, 'PENDING')).status).toBe(200)
    await run(['--phone', payer.phone, '--apply'])
    expect(await columnsWith(url, payer.national)).toEqual([])
  })

  it.each<[string, string[], Record<string, string | undefined>, RegExp]>([
    ['no person', [], {}, /^erase: erase \[--phone/],
    ['no phone number', ['--phone', 'amina'], {}, /^erase: --phone must be a phone number/],
    ['no email', ['--email', 'amina'], {}, /^erase: --email must be an email address/],
    ['a pseudonym', ['--phone', '+999123456789012'], {}, /^erase: --phone must be/],
    ['an unknown option', ['--all'], {}, /^erase: erase \[--phone/],
    [
      'no key',
      ['--phone', '0772000000'],
      { ERASURE_KEYS_FILE: undefined },
      /^erase: ERASURE_KEYS_FILE/,
    ],
    [
      'a short key',
      ['--phone', '0772000000'],
      { ERASURE_KEYS_FILE: keysFile('short') },
      /^erase: ERASURE_KEYS_FILE must have keys of at least 32 bytes/,
    ],
  ])('is rejected with %s', async (_, args, own, message) => {
    const { code, lines, err } = await run(args, own)
    expect([code, lines]).toEqual([1, []])
    expect(err).toMatch(message)
  })

  it('finds nothing of an unknown person', async () => {
    const { code, lines } = await run([...argsOf(newPayer()), '--apply'])
    expect([code, lines.at(-1)]).toEqual([0, 'erased: 0 rows changed'])
  })
})
